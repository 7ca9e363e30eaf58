"""The page of `burnish serve` for a model that reads images: a picker, dropping, the camera, and what is no image."""

from __future__ import annotations

import base64
import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright")
if shutil.which("chromium") is None:
    pytest.skip("needs chromium", allow_module_level=True)

from playwright.sync_api import expect

from tests.serving.fake import CLASSES, Fake, _model
from tests.serving.steps import Visit, opened

pytest_plugins = ["tests.serving.browser"]


@pytest.fixture
def photos(visit: Visit, fake: Fake) -> Any:
    fake.models = [_model("photos", "classify", CLASSES, {"accuracy": 0.9}, inputs="image", tokens_each=4)]
    return opened(visit, fake.address)


def png(place: Path, side: int = 8) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(noise).save(place / "a.png")
    return place / "a.png"


def test_a_file_is_shown_and_sent_as_it_is(photos: Any, fake: Fake, tmp_path: Path) -> None:
    expect(photos.locator("#facts")).to_contain_text("Sorts images into classes")
    expect(photos.locator("#examples-of")).to_be_hidden()
    photos.locator("#predict").click()
    expect(photos.locator("#status")).to_have_text("Choose an image first.")
    photos.locator("input[type=file]").set_input_files(png(tmp_path))
    expect(photos.locator("img.preview")).to_be_visible()
    photos.locator("#predict").click()
    expect(photos.locator("#answer")).to_contain_text("71.0 %")
    (sent,) = fake.asked[0]["inputs"]
    head, _, content = sent.partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(content) == (tmp_path / "a.png").read_bytes()


def test_one_that_is_too_large_is_made_smaller(photos: Any, fake: Fake, tmp_path: Path) -> None:
    photos.locator("input[type=file]").set_input_files(png(tmp_path, 2200))
    expect(photos.locator(".drop .outcome")).to_contain_text("smaller copy")
    photos.locator("#predict").click()
    expect(photos.locator("#answer")).to_contain_text("71.0 %")
    content = base64.b64decode(fake.asked[0]["inputs"][0].partition(",")[2])
    assert Image.open(io.BytesIO(content)).size == (2048, 2048)


def answer_with(page: Any, vectors: dict[str, list[float]]) -> None:
    """Let each variant answer with a vector, for one comparison."""

    def answer(route: Any) -> None:
        variant = route.request.post_data_json["variant"]
        route.fulfill(json={"variant": variant, "predictions": [{"embedding": vectors[variant]}]})

    page.route("**/v1/predict", answer, times=12)


def test_vectors_of_two_variants_are_compared_by_their_cosine(visit: Visit, fake: Fake, tmp_path: Path) -> None:
    fake.models = [_model("vectors", "embed", [], {}, inputs="image", tokens_each=4)]
    page = opened(visit, fake.address)
    page.get_by_role("link", name="Compare").click()
    page.locator("input[type=file]").set_input_files(png(tmp_path))
    expect(page.locator("img.preview")).to_be_visible()
    answer_with(page, {"torch": [1, 0], "throughput": [0.6, 0.8]})
    page.get_by_role("button", name="Compare").click()
    expect(page.locator(".verdict")).to_contain_text("They differ: the cosine of the two vectors is 0.6000.")
    answer_with(page, {"torch": [1, 0], "throughput": [2, 0]})
    page.get_by_role("button", name="Compare").click()
    expect(page.locator(".verdict")).to_contain_text("Both give the same answer.")


def test_a_large_file_that_is_no_image_is_told(photos: Any, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x" * 3_000_000)
    photos.locator("input[type=file]").set_input_files(tmp_path / "a.png")
    expect(photos.locator(".drop .outcome")).to_have_text("This file cannot be read as an image.")


def test_a_file_can_be_dropped(photos: Any, tmp_path: Path) -> None:
    content = base64.b64encode(png(tmp_path).read_bytes()).decode()
    photos.evaluate(
        """content => {
            const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], "a.png", { type: "image/png" }));
            document.querySelector(".drop").dispatchEvent(new DragEvent("drop", { dataTransfer: data }));
        }""",
        content,
    )
    expect(photos.locator("img.preview")).to_be_visible()


def test_the_camera_is_asked_for_and_may_be_refused(photos: Any) -> None:
    photos.evaluate("() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('no')); }")
    photos.get_by_role("button", name="Use the camera").click()
    expect(photos.locator(".drop .outcome")).to_contain_text("gives this page no camera")


def test_a_picture_of_the_camera_is_sent(photos: Any, fake: Fake) -> None:
    photos.evaluate(
        """() => {
            const canvas = document.createElement("canvas");
            canvas.width = canvas.height = 16;
            const pen = canvas.getContext("2d");
            let turn = 0;
            setInterval(() => pen.fillRect(turn++ % 8, 0, 8, 8), 50); // a stream has frames while something changes
            navigator.mediaDevices.getUserMedia = () => Promise.resolve(canvas.captureStream(5));
        }"""
    )
    photos.get_by_role("button", name="Use the camera").click()
    expect(photos.locator("video")).to_have_js_property("videoWidth", 16)
    photos.get_by_role("button", name="Take the picture").click()
    expect(photos.locator("img.preview")).to_be_visible()
    photos.locator("#predict").click()
    expect(photos.locator("#answer")).to_contain_text("71.0 %")
    assert fake.asked[0]["inputs"][0].startswith("data:image/jpeg;base64,")


CAMERAS = """() => {
    window.streams = [];
    navigator.mediaDevices.getUserMedia = () => new Promise((resolve) => {
        window.grant = () => {
            const canvas = document.createElement("canvas");
            canvas.getContext("2d").fillRect(0, 0, 8, 8);
            window.streams.push(canvas.captureStream(5));
            resolve(window.streams.at(-1));
        };
    });
}"""
ON = "() => window.streams.map((stream) => stream.active)"


@pytest.fixture
def two(visit: Visit, fake: Fake) -> Any:
    """A page with a model of images, and another."""
    photos = _model("photos", "classify", CLASSES, {"accuracy": 0.9}, inputs="image", tokens_each=4)
    fake.models = [photos, _model("urgency", "score", [], {"pearson": 0.92})]
    page = opened(visit, fake.address)
    page.evaluate(CAMERAS)
    return page


def test_another_model_turns_the_camera_off(two: Any) -> None:
    two.get_by_role("button", name="Use the camera").click()
    two.evaluate("window.grant()")
    expect(two.locator("video")).to_be_visible()
    assert two.evaluate(ON) == [True]
    two.locator("#model").select_option("urgency")
    assert two.evaluate(ON) == [False]


def test_a_camera_that_is_allowed_too_late_is_turned_off(two: Any) -> None:
    two.get_by_role("button", name="Use the camera").click()
    two.locator("#model").select_option("urgency")
    two.evaluate("window.grant()")
    two.wait_for_function("() => !window.streams[0].active")


def test_the_camera_is_asked_for_once(two: Any) -> None:
    button = two.get_by_role("button", name="Use the camera")
    button.click()
    expect(button).to_be_disabled()
    two.evaluate("window.grant()")
    expect(two.locator("video")).to_be_visible()
    two.locator("#model").select_option("urgency")
    two.locator("#model").select_option("photos")
    two.evaluate("() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('no')); }")
    button.click()
    expect(two.locator(".drop .outcome")).to_contain_text("gives this page no camera")
    expect(button).to_be_enabled()


def test_the_answer_is_explained_by_a_map(photos: Any, fake: Fake, tmp_path: Path) -> None:
    photos.locator("input[type=file]").set_input_files(png(tmp_path))
    photos.locator("#predict").click()
    photos.locator(".why-fold summary").first.click()
    expect(photos.locator(".heat rect")).to_have_count(4)
    assert photos.locator(".heat rect").evaluate_all("all => all.map(one => one.getAttribute('class'))") == [
        "for",
        "against",
        "for",
        "for",
    ]
    assert fake.explained[0]["input"] == fake.asked[0]["inputs"][0]
    expect(photos.locator(".why-fold")).to_contain_text("What each part adds")
    photos.locator("#language").click()
    expect(photos.locator(".why-fold")).to_contain_text("每个部分的作用")
