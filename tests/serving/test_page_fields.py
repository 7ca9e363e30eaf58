"""The page of `burnish serve` for a model that reads columns: a field for each, and bars for what each adds."""

from __future__ import annotations

import base64
import io
import shutil
import wave
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright")
if shutil.which("chromium") is None:
    pytest.skip("needs chromium", allow_module_level=True)

from playwright.sync_api import expect

from tests.serving.fake import CLASSES, Fake, _model
from tests.serving.steps import Visit, opened

pytest_plugins = ["tests.serving.browser"]

WAV = (
    b"RIFF" + (36 + 1600).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little") + b"\1\0\1\0"
    + (8000).to_bytes(4, "little") + (16000).to_bytes(4, "little") + b"\2\0\x10\0data" + (1600).to_bytes(4, "little")
    + bytes(1600)
)  # fmt: skip
FIELDS = {
    "age": {"type": "number", "low": 18.0, "high": 80.0, "typical": 41.0},
    "<b>town</b>": {"type": "category", "values": ["Bonn", "上海"], "of": 2, "typical": "上海"},
}


@pytest.fixture
def people(visit: Visit, fake: Fake) -> Any:
    more: dict[str, Any] = {"inputs": "table", "tokens_each": 4, "fields": FIELDS}
    fake.models = [_model("people", "classify", CLASSES, {"accuracy": 0.9}, **more)]
    return opened(visit, fake.address)


def test_what_is_filled_in_is_sent_as_an_object(people: Any, fake: Fake) -> None:
    expect(people.locator("#facts")).to_contain_text("Sorts rows into classes")
    expect(people.locator("#examples-of")).to_be_hidden()
    people.locator("#predict").click()
    expect(people.locator("#status")).to_have_text("Fill in a field first.")
    expect(people.get_by_label("age")).to_be_focused()
    expect(people.get_by_label("age")).to_have_attribute("placeholder", "18 to 80")
    people.get_by_label("age").fill(" 1,041 ")
    people.locator("#predict").click()
    expect(people.locator("#answer")).to_contain_text("71.0 %")
    assert fake.asked[0]["inputs"] == [{"age": "1,041"}], "as it was written; what is empty is missing"
    people.get_by_label("<b>town</b>").fill("Bonn")
    people.get_by_label("<b>town</b>").press("Control+Enter")
    expect(people.locator("#answer")).to_contain_text("71.0 %")
    assert fake.asked[1]["inputs"] == [{"age": "1,041", "<b>town</b>": "Bonn"}]


def test_known_categories_are_offered_and_a_typical_row_is_one_click(people: Any, fake: Fake) -> None:
    assert people.locator("datalist option").evaluate_all("all => all.map(one => one.value)") == ["Bonn", "上海"]
    people.get_by_role("button", name="Fill in a typical row").click()
    people.locator("#predict").click()
    expect(people.locator("#answer")).to_contain_text("71.0 %")
    assert fake.asked[0]["inputs"] == [{"age": "41", "<b>town</b>": "上海"}]


def test_several_kinds_have_a_part_of_the_form_each(visit: Visit, fake: Fake, tmp_path: Path) -> None:
    kinds: dict[str, Any] = {
        "text": {"type": "text"},
        "image": {"type": "file", "kind": "image"},
        "audio": {"type": "file", "kind": "audio"},
        "table": {"type": "object", "fields": FIELDS},
    }
    more: dict[str, Any] = {"inputs": "text+image+audio+table", "fields": kinds}
    fake.models = [_model("all", "classify", CLASSES, {"accuracy": 0.9}, **more)]
    page = opened(visit, fake.address)
    page.locator("#texts textarea").fill("a visitor")
    page.get_by_label("age", exact=True).fill("70")
    (tmp_path / "a.wav").write_bytes(WAV)
    page.locator("input[type=file]").nth(1).set_input_files(tmp_path / "a.wav")
    expect(page.locator("audio.preview")).to_be_visible()
    page.locator("#predict").click()
    expect(page.locator("#answer")).to_contain_text("71.0 %")
    (sent,) = fake.asked[0]["inputs"]
    assert sent | {"audio": ""} == {"text": "a visitor", "audio": "", "table": {"age": "70"}}
    assert base64.b64decode(sent["audio"].partition(",")[2]) == WAV


def test_a_sound_is_recorded_and_sent_as_wav(visit: Visit, fake: Fake) -> None:
    fake.models = [_model("clips", "classify", CLASSES, {"accuracy": 0.9}, inputs="audio", tokens_each=4)]
    page = opened(visit, fake.address)
    expect(page.locator("#facts")).to_contain_text("Sorts sounds into classes")
    page.locator("#predict").click()
    expect(page.locator("#status")).to_have_text("Choose a sound first.")
    page.evaluate("() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('no')); }")
    page.get_by_role("button", name="Record").click()
    expect(page.locator(".drop .outcome")).to_contain_text("gives this page no microphone")
    page.evaluate(
        """() => {
            const context = new AudioContext();
            const tone = context.createOscillator(), out = context.createMediaStreamDestination();
            tone.connect(out);
            tone.start();
            navigator.mediaDevices.getUserMedia = () => Promise.resolve(out.stream);
        }"""
    )
    page.get_by_role("button", name="Record").click()
    page.wait_for_timeout(700)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("audio.preview")).to_be_visible()
    page.locator("#predict").click()
    expect(page.locator("#answer")).to_contain_text("71.0 %")
    content = base64.b64decode(fake.asked[0]["inputs"][0].partition(",")[2])
    with wave.open(io.BytesIO(content)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        assert file.getnframes() > 0.1 * file.getframerate()


@pytest.fixture
def clips(visit: Visit, fake: Fake) -> Any:
    """A page with a model of sounds and another, and a microphone that keeps silent once it is granted."""
    clips = _model("clips", "classify", CLASSES, {"accuracy": 0.9}, inputs="audio", tokens_each=4)
    fake.models = [clips, _model("urgency", "score", [], {"pearson": 0.92})]
    page = opened(visit, fake.address)
    page.evaluate(
        """() => {
            const out = new AudioContext().createMediaStreamDestination();
            window.stream = out.stream;
            navigator.mediaDevices.getUserMedia = () => new Promise((resolve) => {
                window.grant = () => resolve(out.stream);
            });
        }"""
    )
    return page


def test_the_longest_recording_can_be_sent(clips: Any, fake: Fake) -> None:
    clips.evaluate(
        """() => {
            AudioContext.prototype.decodeAudioData = async function () {
                return this.createBuffer(1, 31 * this.sampleRate, this.sampleRate);
            };
        }"""
    )
    clips.get_by_role("button", name="Record").click()
    clips.evaluate("window.grant()")
    clips.get_by_role("button", name="Stop").click()
    expect(clips.locator("audio.preview")).to_be_visible()
    clips.locator("#predict").click()
    expect(clips.locator("#answer")).to_contain_text("71.0 %")
    content = base64.b64decode(fake.asked[0]["inputs"][0].partition(",")[2])
    with wave.open(io.BytesIO(content)) as file:
        assert (file.getnframes(), file.getframerate()) == (30 * 44_100, 44_100)


def test_the_microphone_is_asked_for_once_and_turned_off_with_another_model(clips: Any) -> None:
    button = clips.get_by_role("button", name="Record")
    button.click()
    expect(button).to_be_disabled()
    clips.evaluate("window.grant()")
    expect(clips.get_by_role("button", name="Stop")).to_be_visible()
    clips.locator("#model").select_option("urgency")
    clips.wait_for_function("() => !window.stream.active")


def test_a_refusal_is_shown(people: Any, fake: Fake) -> None:
    fake.problem = (422, "inputs[0]: 'old' in column 'age' is no number", {})
    people.get_by_label("age").fill("old")
    people.locator("#predict").click()
    expect(people.locator("#answer")).to_contain_text("'old' in column 'age' is no number")


def test_the_answer_is_explained_by_bars(people: Any, fake: Fake) -> None:
    people.get_by_label("age").fill("70")
    people.locator("#predict").click()
    people.locator(".why-fold summary").first.click()
    bars = people.locator(".why-fold .bars li")
    expect(bars).to_have_count(2)
    expect(bars.nth(0)).to_contain_text("age = 70")
    expect(bars.nth(1)).to_contain_text("<b>town</b> = –")
    assert people.locator(".why-fold .bars .fill").evaluate_all(
        "all => all.map(one => one.className + ' ' + one.style.width)"
    ) == ["fill for 100%", "fill against 33.3333%"]
    assert fake.explained[0]["input"] == {"age": "70"}
    people.locator("#language").click()
    expect(people.locator(".why-fold")).to_contain_text("每一列的作用")


def test_a_correction_carries_the_row(people: Any, fake: Fake) -> None:
    people.get_by_label("age").fill("70")
    people.locator("#predict").click()
    people.locator(".correction summary").click()
    people.get_by_role("button", name="Send").click()
    expect(people.locator(".correction .outcome")).to_contain_text("c1")
    assert fake.feedback[0]["input"] == {"age": "70"}
