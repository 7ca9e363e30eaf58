"""Where a job file is wrong: the lines of its keys, overrides, and mistakes in words."""

from __future__ import annotations

import types
import typing
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from burnish.errors import ConfigError, nearest

Lines = dict[tuple[str, ...], int]  # path of a key -> its line, from 1, or OVERRIDDEN
OVERRIDDEN = 0


def read_yaml(path: Path, noun: str, kind: str, way: str, expected: str) -> tuple[dict[str, Any], Lines]:
    """A YAML file that holds a mapping, and the lines of its keys.

    Args:
        noun, kind: what it is, in full and in a word: `job file`, `job`.
        way: how to come by one.
        expected: what should stand in it.

    Raises:
        ConfigError: when there is none, it cannot be read or is something else, or gives a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"no {noun} at '{path}'; {way}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"'{path}' is not a {noun} in UTF-8: {error}") from None
    except OSError as error:
        raise ConfigError(f"cannot read the {noun} '{path}': {error.strerror}") from None
    try:
        document = yaml.safe_load(text)
        lines, repeated = lines_of(yaml.compose(text, Loader=yaml.SafeLoader))
    except (yaml.YAMLError, ValueError) as error:  # a ValueError is one of a date that there is none of
        raise ConfigError(f"'{path}' is not valid YAML: {error}") from None
    except RecursionError:
        raise ConfigError(f"'{path}' is nested too deeply to be a {kind}") from None
    if not isinstance(document, dict):
        what = "is empty" if document is None else f"holds no {kind}"
        raise ConfigError(f"'{path}' {what}: expected {expected}")
    if repeated:
        raise ConfigError(f"'{path}' gives a key twice:\n  " + "\n  ".join(repeated))
    return document, lines


def mistakes(error: Any, source: str, lines: Lines, root: type[BaseModel]) -> list[str]:
    """An error of pydantic in words: place, key, what is wrong and the nearest valid name.

    Args:
        error: an item of `ValidationError.errors()`; one without a key may hold several lines, each begun by its key.
        root: the model of the whole document.
    """
    path = tuple(str(p) for p in error["loc"])
    if not path:  # clashes, each of which begins with a key
        messages = error["msg"].removeprefix("Value error, ").split("\n")
        return [f"{_place(source, _leading(message), lines)}: {message}" for message in messages]
    place, dotted = _place(source, path, lines), ".".join(path)
    if error["type"] == "extra_forbidden":
        return [f"{place}: unknown key '{dotted}'; {nearest(path[-1], _keys(root, path[:-1]))}"]
    given = error.get("input")
    shown = f" (given: {given!r})" if error["type"] != "missing" and not isinstance(given, dict) else ""
    wanted = error["msg"].removeprefix("Value error, ")
    quote = "; write it in quotes" if error["type"] == "string_type" and _read_by_yaml(given) else ""
    return [f"{place}: {dotted}: {wanted}{shown}{quote}"]


def _read_by_yaml(given: Any) -> bool:
    """Whether YAML has made something else of a word that stood without quotes: a date, a number, or `no` a bool."""
    return isinstance(given, date | int | float)


def _leading(message: str) -> tuple[str, ...]:
    return tuple(message.split(" ")[0].rstrip(":").split("."))


def _place(source: str, path: tuple[str, ...], lines: Lines) -> str:
    """The file and the line of the innermost key on the path that stands there, or --set if the key came by that."""
    line = next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), None)
    return "--set" if line == OVERRIDDEN else f"{source}:{line}" if line else source


def _keys(root: type[BaseModel], path: tuple[str, ...]) -> list[str]:
    """Names of the keys that the section at `path` knows."""
    section: Any = root
    for name in path:
        if typing.get_origin(section) is dict:
            section = typing.get_args(section)[1]
        else:
            field = _model(section).model_fields.get(name)
            section = field.annotation if field else None
    return list(_model(section).model_fields)


def _model(kind: Any) -> type[BaseModel]:
    """The section that a type is, or may be; one without keys where it is none."""
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), BaseModel)


def override(document: dict[str, Any], given: str, root: type[BaseModel]) -> tuple[str, ...]:
    """Put one dotted value, `tune.epochs=2`, into a document of the model `root`; return the path of its key."""
    key, separator, value = given.partition("=")
    if not separator or not key:
        raise ConfigError(f"--set takes key=value, for example tune.epochs=2; given: '{given}'")
    try:
        parsed = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError):  # as of 2024-02-30, which looks like a date
        parsed = value
    if isinstance(parsed, str):
        with suppress(ValueError):  # YAML 1.1 reads 5e-5 as text
            parsed = float(parsed) if parsed.lower().count("e") == 1 else parsed
    *parents, last = _path(key.strip(), root)
    place = document
    for name in parents:
        inner = place.setdefault(name, {})
        if inner is None:
            inner = place[name] = {}
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {key}: '{name}' holds a value, not a section")
        place = inner
    place[last] = parsed
    return (*parents, last)


def _path(key: str, root: type[BaseModel]) -> tuple[str, ...]:
    """The names of a dotted key; below a mapping to numbers all that is left is one, such as `calibration.ece`."""
    names, section = key.split("."), root
    for place, name in enumerate(names, 1):
        field = section.model_fields.get(name)
        kind = field.annotation if field else None
        if kind == dict[str, float] and names[place:]:
            return (*names[:place], ".".join(names[place:]))
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            break
        section = kind
    return tuple(names)


def lines_of(node: yaml.Node | None) -> tuple[Lines, list[str]]:
    """Line (from 1) of every key in the document, and a phrase for each key that stands twice in one place."""
    found: Lines = {}
    repeated: list[str] = []

    def walk(node: yaml.Node | None, path: tuple[str, ...]) -> None:
        if isinstance(node, yaml.MappingNode):
            here = [((*path, str(key.value)), key, value) for key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            here = [((*path, str(index)), value, value) for index, value in enumerate(node.value)]
        else:
            return
        seen: dict[tuple[str, ...], int] = {}
        for place, marked, value in here:
            line = marked.start_mark.line + 1
            if place in seen:
                repeated.append(f"'{'.'.join(place)}' on line {seen[place]} and on line {line}; keep one of them")
            seen[place] = found[place] = line
            walk(value, place)

    walk(node, ())
    return found, repeated
