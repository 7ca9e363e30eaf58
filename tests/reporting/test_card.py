"""The card: a front matter that parses, and Markdown that data cannot break."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from burnish.reporting.card import model_card
from burnish.results import TuneReport

SECTIONS = ["Intended use", "Data", "Results", "How to load", "Limits", "Environment"]


def test_every_card_has_a_front_matter_and_all_sections(any_report: TuneReport, tmp_path: Path) -> None:
    card = model_card(any_report)
    (tmp_path / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    start, front, body = card.split("---\n", 2)
    assert start == ""
    assert yaml.safe_load(front)["license"] == "unknown"
    assert [line[3:] for line in card.splitlines() if line.startswith("## ")] == SECTIONS
    assert "<script" not in body.replace("`<script", "")  # shown as code, or escaped
    for block in card.split("\n\n"):
        rows = [line.replace("\\|", "").count("|") for line in block.splitlines() if line.startswith("|")]
        assert len(set(rows)) <= 1


def test_the_card_says_how_to_load_and_what_is_lost(reports: dict[str, Callable[[], TuneReport]]) -> None:
    card = model_card(reports["tag"](), languages=["en"])
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["language"] == ["en"]
    assert front["pipeline_tag"] == "token-classification"
    assert front["metrics"][0] == "entity_f1"
    assert "AutoModelForTokenClassification" in card
    assert "Engine.open(" in card
    assert "reaches entity_f1 0.912 on dev; with it, it is 0.941 (0.933 to 0.948)" in card
    assert "| train | 14,041 |" in card
    assert "22,713" not in card


def test_the_card_of_a_classifier(reports: dict[str, Callable[[], TuneReport]]) -> None:
    card = model_card(reports["chinese"]())
    assert "AutoModelForSequenceClassification" in card
    assert "language" not in yaml.safe_load(card.split("---\n")[1])
    assert "`中性评价，没有明显的情绪`" in card
    assert "computes the same scores" in card
    assert "**fail** unknown-characters" in card


@pytest.mark.parametrize(
    ("task", "inputs", "tag", "example"),
    [
        ("classify", "text", "text-classification", '["A text like those in the training rows."]'),
        ("classify", "image", "image-classification", '["path/to/an/image.jpg"]'),
        ("classify", "audio", "audio-classification", '["path/to/a/sound.wav"]'),
        ("score", "video", "video-classification", '["path/to/a/clip.mp4"]'),
        ("classify", "table", "tabular-classification", '[{"age": 1.5, "to\\"wn": "..."}]'),
        ("score", "table", "tabular-regression", '[{"age": 1.5, "to\\"wn": "..."}]'),
        ("classify", "text+image", None, '[{"text": "A text like those in the training rows.", "image": "path/to/an'),
    ],
)
def test_the_card_names_and_loads_what_the_model_reads(
    reports: dict[str, Callable[[], TuneReport]], task: str, inputs: str, tag: str | None, example: str
) -> None:
    job = {"data": {"columns": {"number": ["age"], "category": ['to"wn']}}}
    card = model_card(replace(reports["chinese"](), task=task, inputs=inputs, job=job))
    assert yaml.safe_load(card.split("---\n")[1]).get("pipeline_tag") == tag
    assert f"engine.predict({example}" in card
