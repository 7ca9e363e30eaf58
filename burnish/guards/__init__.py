"""A guard: what goes into a model and what comes out of it, held against a policy.

`Guard.load("policy.yaml").check(text)` says what was found, where, how sure it is, and what follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from burnish.data.personal import Found, find
from burnish.errors import ConfigError, InputError, nearest
from burnish.guards import policy as policies
from burnish.guards.classified import Told, beyond, judge, of, other_than, read
from burnish.guards.language import languages
from burnish.guards.layers import layers
from burnish.guards.personal import Tagger, personal, tagger_of
from burnish.guards.plain import Hidden, View
from burnish.guards.policy import Evasion, Harm, Injection, Length, Personal, Policy, Rate, Scope, Secrets, Topic
from burnish.guards.rate import Rate as Counter
from burnish.guards.secrets import SECRETS
from burnish.guards.vault import Vault, redacted
from burnish.guards.verdict import Finding, Side, Verdict, severest

__all__ = ["Finding", "Guard", "Vault", "Verdict"]

PATTERNS = Path(__file__).with_name("patterns.yaml")
Classifier = Harm | Injection | Topic | Scope


class _Plan:
    """The checks of one side: those that need not read, those that do, and what is said about evasions."""

    def __init__(self, policy: Policy, side: str) -> None:
        mine = [(i, check) for i, check in enumerate(policy.checks) if check.side in (side, "both")]
        self.before = [(i, check) for i, check in mine if isinstance(check, Length | Rate)]
        self.evasions = [check for _, check in mine if isinstance(check, Evasion)]
        self.reading = [(i, check) for i, check in mine if not isinstance(check, Length | Rate | Evasion)]
        self.selective = any(check.language != "any" for _, check in self.reading)
        self._personal = [check for _, check in mine if isinstance(check, Personal) and check.engine == "burnish"]

    def asked(self, model: str | None) -> tuple[float, frozenset[str]]:
        """The least score and the kinds that the checks of personal data ask of a model, or of the forms alone."""
        checks = [check for check in self._personal if check.model == model]
        return min(check.threshold for check in checks), frozenset(kind for check in checks for kind in check.types)


class Guard:
    """A policy with the models it names, ready to check texts."""

    def __init__(self, policy: Policy, folder: Path, source: str = "policy") -> None:
        self.policy = policy
        self._engines: dict[Path, Any] = {}
        self._models: dict[int, Any] = {}  # by the check's place in the policy
        self._taggers: dict[int, Tagger] = {}
        self._rates: dict[int, Counter] = {}
        for index, check in enumerate(policy.checks):
            place = f"{source}:{check.line}: checks.{index}"
            if isinstance(check, Classifier):
                self._models[index] = self._classifier(check, folder, place)
            elif isinstance(check, Personal) and check.model:
                engine = self._engine(check.model, folder, "tag", place)
                self._taggers[index] = tagger_of(engine)
            elif isinstance(check, Personal) and check.engine == "presidio":
                from burnish.guards.presidio import tagger

                self._taggers[index] = tagger()
            elif isinstance(check, Rate):
                self._rates[index] = Counter(check.at_most, check.seconds)
        self._plans = {side: _Plan(policy, side) for side in ("input", "output")}

    @classmethod
    def load(cls, policy: str | Path) -> Self:
        """Read a policy and open its models.

        Args:
            policy: a YAML file, or a folder with `policy.yaml` in it.

        Raises:
            ConfigError: listing every mistake of the policy.
            InputError: for a model folder that cannot be opened.
            MissingExtra: when the policy asks for Presidio, or a model for a runtime, that is not installed.
        """
        found, folder = policies.load(policy)
        return cls(found, folder, str(policy))

    @classmethod
    def default(cls) -> Self:
        """The guard that needs no model: personal data by its form, secrets, evasions, length."""
        return cls.load(PATTERNS)

    def check(self, text: str, side: Side = "input", vault: Vault | None = None, sender: str = "") -> Verdict:
        """Hold a text against the policy.

        Args:
            side: `input` for what goes into a model, `output` for what comes out.
            vault: where originals go, so that the redaction can be taken back; without one they are lost.
            sender: whom `rate` counts it for.

        Raises:
            InputError: when `text` is no text.
        """
        return self.check_many([text], side, vault, sender)[0]

    def check_many(
        self, texts: Sequence[str], side: Side = "input", vault: Vault | None = None, sender: str = ""
    ) -> list[Verdict]:
        """Hold several texts against the policy, a verdict for each; models see them in batches."""
        for index, text in enumerate(texts):
            if not isinstance(text, str):
                raise InputError(f"a guard checks texts; number {index + 1} is of the type {type(text).__name__}")
        found: list[list[Finding]] = [self._refused(text, side, sender) for text in texts]
        open_ = [index for index, refused in enumerate(found) if severest(refused) != "block"]
        for index, findings in zip(open_, self._looked([texts[index] for index in open_], side), strict=True):
            found[index] += findings
        return [_verdict(text, findings, vault) for text, findings in zip(texts, found, strict=True)]

    def _refused(self, text: str, side: Side, sender: str) -> list[Finding]:
        """What is found without reading."""
        found = []
        for index, check in self._plans[side].before:
            if isinstance(check, Length):
                if len(text) > check.at_most:
                    found.append(_finding(check, "length", check.at_most, len(text), 1.0))
            elif self._rates[index].over(sender):
                found.append(_finding(check, "rate", 0, len(text), 1.0))
        return found

    def _looked(self, texts: Sequence[str], side: Side) -> list[list[Finding]]:
        """What is found by reading, for each text."""
        plan = self._plans[side]
        found: list[list[Finding]] = [[] for _ in texts]
        views: list[View] = []
        owners: list[int] = []
        readable: list[bool] = []
        spoken: list[tuple[str, ...]] = []
        for index, text in enumerate(texts):
            mine, legible, ways = layers(text)
            views += mine
            readable += legible
            owners += [index] * len(mine)
            said = [languages(view.text) if plan.selective else () for view in mine]
            spoken += said
            if ways:
                found[index] += _hidden(ways, plan.evasions)
            if plan.selective:
                found[index] += _unread(text, said[0], plan.reading)
        everything = tuple(range(len(views)))
        known: dict[Any, list[list[Found]]] = {}
        for place, check in plan.reading:
            kept = everything
            if check.language != "any":
                kept = tuple(k for k in everything if check.language in spoken[k])
            if isinstance(check, Classifier):
                kept = tuple(k for k in kept if readable[k])
            for k, hits in zip(
                kept, self._found(plan, place, check, [views[k] for k in kept], known, kept), strict=True
            ):
                found[owners[k]] += [_finding(check, hit.kind, *hit[:2], hit.score) for hit in hits]
        return found

    def _found(
        self,
        plan: _Plan,
        place: int,
        check: policies.Check,
        views: list[View],
        known: dict[Any, Any],
        which: tuple[int, ...],
    ) -> list[list[Found]]:
        """What one check finds in each view, in places of the text."""
        if isinstance(check, Personal):
            if check.engine == "presidio":
                hits = [
                    _placed(view, one)
                    for view, one in zip(views, self._taggers[place]([v.text for v in views]), strict=True)
                ]
            else:
                key = check.model, which
                if key not in known:
                    known[key] = personal(views, self._taggers.get(place), *plan.asked(check.model))
                hits = known[key]
            return [[hit for hit in one if hit.kind in check.types and hit.score >= check.threshold] for one in hits]
        if isinstance(check, Secrets):
            return [_placed(view, find(view.text, SECRETS, check.threshold)) for view in views]
        if isinstance(check, Classifier) and views:
            asked = check.model, check.window, which
            if asked not in known:
                known[asked] = read(self._models[place], [v.text for v in views], check.window)
            said = judge(known[asked], _told(check))
            return [
                [Found(*_span(view, one.start, one.end), one.label, one.score)] if one.score >= check.threshold else []
                for view, one in zip(views, said, strict=True)
            ]
        return [[] for _ in views]

    def _classifier(self, check: Classifier, folder: Path, place: str) -> Any:
        engine = self._engine(check.model, folder, "classify", place)
        if isinstance(check, Scope) and not engine.task.usual:
            raise ConfigError(
                f"{place}: '{check.model}' does not keep what its own texts look like; tune it again with dev rows, "
                "100 or more, and one class a text"
            )
        for label in _labels(check):
            if label not in engine.task.labels:
                raise ConfigError(f"{place}: the model has no class '{label}'; {nearest(label, engine.task.labels)}")
        return engine

    def _engine(self, model: str, folder: Path, task: str, place: str) -> Any:
        from burnish.artifact import Artifact
        from burnish.engine import Engine

        path = (folder / model).resolve()
        if not Path(model).is_absolute() and not path.is_relative_to(folder):
            raise ConfigError(f"{place}.model: '{model}' leaves the policy's folder; write the whole path to mean that")
        if path not in self._engines:
            try:
                Artifact.open(path, verify=False).must_go_with("a guard")
                self._engines[path] = Engine.open(path)
            except InputError as error:
                raise InputError(f"{place}.model: {error}") from None
        engine = self._engines[path]
        if engine.task.name != task:
            raise ConfigError(
                f"{place}.model: '{model}' is a model of the task {engine.task.name}, and this takes {task}"
            )
        return engine


def _verdict(text: str, found: list[Finding], vault: Vault | None) -> Verdict:
    findings = tuple(sorted(dict.fromkeys(found), key=lambda one: (one.start, one.end, one.line)))
    spans = [(one.start, one.end, one.kind) for one in findings if one.action == "redact" and one.start < one.end]
    return Verdict(severest(findings), findings, redacted(text, spans, vault) if spans or vault is not None else text)


def _finding(check: policies.Check, kind: str, start: int, end: int, score: float) -> Finding:
    return Finding(check.check, kind, start, end, round(score, 4), check.action, check.line)


def _hidden(ways: list[Hidden], checks: list[Evasion]) -> list[Finding]:
    """Each way to hide under the check that names it; flagged where none does."""
    found = []
    for way, start, end in ways:
        mine = [check for check in checks if way in check.types]
        found += [_finding(check, way, start, end, 1.0) for check in mine] or [
            Finding("evasion", way, start, end, 1.0, "flag", 0)
        ]
    return found


def _unread(text: str, spoken: tuple[str, ...], reading: Sequence[tuple[int, policies.Check]]) -> list[Finding]:
    """A finding where a kind of model check has nothing for the language of the text."""
    found = []
    for kind in (Harm, Injection, Topic, Scope):
        mine = [check for _, check in reading if isinstance(check, kind)]
        if mine and not any(check.language == "any" or check.language in spoken for check in mine):
            found.append(Finding(mine[0].check, "unknown-language", 0, len(text), 1.0, "flag", mine[0].line))
    return found


def _labels(check: Classifier) -> tuple[str, ...]:
    """The classes that a check names."""
    if isinstance(check, Scope):
        return ()
    if isinstance(check, Topic):
        return check.allowed
    return (check.label,) if isinstance(check.label, str) else check.label


def _told(check: Classifier) -> Told:
    if isinstance(check, Scope):
        return beyond
    return other_than(check.allowed) if isinstance(check, Topic) else of(_labels(check))


def _span(view: View, start: int, end: int) -> tuple[int, int]:
    return view.span(start, end) if start < end else (0, 0)


def _placed(view: View, found: list[Found]) -> list[Found]:
    return [Found(*view.span(one.start, one.end), one.kind, one.score) for one in found]
