"""Mistakes in a policy are all told at once, with their lines and the nearest names."""

from __future__ import annotations

from pathlib import Path

import pytest

from burnish.errors import ConfigError, InputError
from burnish.guards import Guard
from burnish.guards.policy import load

WRONG = """checks:
  - {check: personl, action: redact}
  - {check: personal, action: redat, types: [card, emial], thresold: 3}
  - check: harm
    label: x
    threshold: 2
  - {check: length, at_most: 0, action: redact}
  - {action: block}
  - {check: rate, line: 3}
  - 4
extra: 1
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, WRONG)
    with pytest.raises(ConfigError) as caught:
        load(path)
    said = str(caught.value)
    for expected in (
        f"{path}:2: checks.0: unknown check 'personl'; did you mean 'personal'?",
        f"{path}:3: checks.1.action: ",
        "did you mean 'redact'?",
        "did you mean 'email'?",
        f"{path}:3: unknown key 'checks.1.thresold' of personal; did you mean 'threshold'?",
        f"{path}:6: checks.2.threshold: ",
        f"{path}:4: checks.2.model: Field required",
        f"{path}:7: checks.3.at_most: ",
        f"{path}:8: checks.4: no 'check'",
        f"{path}:9: unknown key 'line'",
        f"{path}:10: checks.6: ",
        f"{path}:11: unknown key 'extra'; valid: checks",
    ):
        assert expected in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty: expected the key"),
        ("- a", "holds no policy"),
        ("checks: []", "a policy has one check or more"),
        ("checks: [", "is not valid YAML"),
        ("checks: 3", "checks"),
        ("checks: [{check: length, check: rate}]", "gives a key twice"),
        ("checks:\n  - {check: harm, model: m, action: redact}", ":2: checks.0.action: redact takes a span out"),
        ("checks:\n  - {check: personal, engine: presidio, model: m}", "two checks"),
        ("checks:\n  - {check: harm, model: ../elsewhere}", "leaves the policy's folder"),
    ],
)
def test_one_mistake(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Guard.load(written(tmp_path, text))


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="burnish guard init"):
        Guard.load(tmp_path / "none.yaml")
    with pytest.raises(InputError, match=r":2: checks.0.model"):
        Guard.load(written(tmp_path, "checks:\n  - {check: harm, model: models/harm}"))


def test_a_folder_stands_for_its_policy(tmp_path: Path) -> None:
    written(tmp_path, "checks:\n  - {check: length, at_most: 3}")
    assert Guard.load(tmp_path).check("four").findings[0].line == 2
