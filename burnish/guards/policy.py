"""The policy file: which checks a text has to pass, and what follows from what they find."""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from burnish.errors import ConfigError
from burnish.guards.forms import IDENTIFYING, KINDS
from burnish.guards.verdict import Action
from burnish.mistakes import Lines, mistakes, read_yaml

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Kind = Literal[KINDS]  # type: ignore[valid-type]
Way = Literal["encoded", "zero-width", "mixed-scripts", "styled", "leetspeak", "split-words"]


WINDOW = 64  # tokens


class _Check(BaseModel):
    """What every check has."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    side: Literal["input", "output", "both"] = "both"
    action: Action = Field("flag", description="What follows from a finding.")
    threshold: Share = Field(0.5, description="Least score of a finding.")
    language: Literal["any", "en", "zh"] = Field("any", description="Texts in another language are not looked at.")
    line: int = Field(0, exclude=True, description="Filled in: the line of the check in its file.")


class Personal(_Check):
    """Personal data: by its form, by a tagger where one is given, and by Presidio where that is asked for."""

    check: Literal["personal"]
    types: tuple[Kind, ...] = Field(IDENTIFYING, min_length=1)
    model: str | None = Field(None, description="Model folder of a tagger, for names, addresses and organisations.")
    engine: Literal["burnish", "presidio"] = "burnish"


class Secrets(_Check):
    """Keys, tokens and passwords."""

    check: Literal["secrets"]


class _ByModel(_Check):
    model: str = Field(description="Model folder of a classifier.")
    window: int = Field(WINDOW, ge=8, description="Tokens of a stretch of a long text; they overlap by a quarter.")


class Harm(_ByModel):
    """A classifier of harm."""

    check: Literal["harm"]
    label: str | tuple[str, ...] = Field("harmful", description="Class or classes that count.")


class Injection(_ByModel):
    """A classifier of attempts to take over a language model."""

    check: Literal["injection"]
    label: str | tuple[str, ...] = Field("injection", description="Class or classes that count.")


class Topic(_ByModel):
    """A classifier of topics: what is not likely to be of an allowed one is found."""

    check: Literal["topic"]
    allowed: tuple[str, ...] = Field(min_length=1, description="Classes that may be talked about.")


class Scope(_ByModel):
    """Texts that belong to none of the classes of a classifier."""

    check: Literal["scope"]
    threshold: Share = Field(
        0.95,
        description="Share of the model's dev rows that look more like its classes; the rest are false alarms.",
    )


class Length(_Check):
    """Texts that are too long."""

    check: Literal["length"]
    at_most: int = Field(4000, ge=1, description="Characters.")


class Rate(_Check):
    """Too many texts of one sender in some time; kept in memory."""

    check: Literal["rate"]
    at_most: int = Field(60, ge=1, description="Texts.")
    seconds: Annotated[float, Field(gt=0.0)] = 60.0


class Evasion(_Check):
    """Ways to hide a text from the other checks; these look at what was hidden in any case."""

    check: Literal["evasion"]
    types: tuple[Way, ...] = Field(typing.get_args(Way), min_length=1)


Check = Personal | Secrets | Harm | Injection | Topic | Scope | Length | Rate | Evasion
_OF = {typing.get_args(kind.model_fields["check"].annotation)[0]: kind for kind in typing.get_args(Check)}


class Policy(BaseModel):
    """Checks, in the order of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    checks: tuple[Annotated[Check, Field(discriminator="check")], ...]

    @model_validator(mode="after")
    def _fits_together(self) -> Policy:
        wrong = [] if self.checks else ["checks: a policy has one check or more"]
        for index, check in enumerate(self.checks):
            if isinstance(check, Personal) and check.engine == "presidio" and check.model:
                wrong.append(f"checks.{index}.model: Presidio and a tagger are two checks; write one for each")
            if check.action == "redact" and not isinstance(check, Personal | Secrets):
                wrong.append(
                    f"checks.{index}.action: redact takes a span out, which goes with personal and secrets only"
                )
        if wrong:
            raise ValueError("\n".join(wrong))
        return self


def load(path: str | Path) -> tuple[Policy, Path]:
    """Read a policy; the folder is where its relative model paths begin.

    Args:
        path: a YAML file, or a folder with `policy.yaml` in it.

    Raises:
        ConfigError: listing every mistake with its key, its line and the nearest valid name.
    """
    path = Path(path)
    path = path / "policy.yaml" if path.is_dir() else path
    way, expected = "make one with: burnish guard init", "the key 'checks' with a list of checks"
    document, lines = read_yaml(path, "policy", "policy", way, expected)
    return parse(document, str(path), lines), path.resolve().parent


def parse(document: dict[str, Any], source: str = "policy", lines: Lines | None = None) -> Policy:
    """Validate a mapping as a policy; one ConfigError lists all mistakes."""
    lines = lines or {}
    given = document.get("checks")
    found: list[str] = []
    if isinstance(given, list):
        for index, check in enumerate(given):
            if isinstance(check, dict) and "line" in check:
                found.append(f"{source}:{lines.get(('checks', str(index), 'line'), '?')}: unknown key 'line'")
        placed = [
            {**check, "line": lines.get(("checks", str(index)), 0)} if isinstance(check, dict) else check
            for index, check in enumerate(given)
        ]
        document = {**document, "checks": placed}
    try:
        policy = Policy.model_validate(document)
        if not found:
            return policy
    except ValidationError as error:
        for one in error.errors(include_url=False):
            found += _in_words(one, source, lines)
    raise ConfigError(f"{len(found)} mistake{'s' * (len(found) > 1)} in the policy:\n  " + "\n  ".join(found))


def _in_words(error: Any, source: str, lines: Lines) -> list[str]:
    """As in a job file; the name of the check, which pydantic puts into the path, is no key of the file."""
    from burnish.errors import nearest

    path = tuple(str(part) for part in error["loc"])
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        line = lines.get((*path, "check")) or lines.get(path)
        place = f"{source}:{line}" if line else source
        name = (error.get("ctx") or {}).get("tag")
        said = f"unknown check '{name}'; {nearest(str(name), _OF)}" if name else f"no 'check'; {nearest('', _OF)}"
        return [f"{place}: {'.'.join(path)}: {said}"]
    root: type[BaseModel] = Policy
    if len(path) > 2 and path[2] in _OF:
        root, kind = _OF[path[2]], path[2]
        path = (*path[:2], *path[3:])
        if error["type"] == "extra_forbidden":
            keys = [name for name in root.model_fields if name != "line"]
            line = lines.get(path)
            place = f"{source}:{line}" if line else source
            return [f"{place}: unknown key '{'.'.join(path)}' of {kind}; {nearest(path[-1], keys)}"]
    given = error.get("input")
    if error["type"] == "literal_error" and isinstance(given, str):
        error = {**error, "msg": f"{error['msg']}; {nearest(given, _choices(root, path[2:3]))}"}
    return mistakes({**error, "loc": path}, source, lines, Policy)


def _choices(root: type[BaseModel], name: tuple[str, ...]) -> list[str]:
    found = KINDS if root is Personal and name == ("types",) else ()
    if not found and name and name[0] in root.model_fields:
        kind: Any = root.model_fields[name[0]].annotation
        found = typing.get_args(typing.get_args(kind)[0] if name[0] == "types" else kind)
    return [str(one) for one in found]
