"""The page of `burnish serve` in a real browser: traffic, key, problems, safety, languages, looks."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("playwright")
if shutil.which("chromium") is None:
    pytest.skip("needs chromium", allow_module_level=True)

from playwright.sync_api import expect

from tests.serving.fake import KEY, PAGE, Fake, models
from tests.serving.steps import EMOJI, OUTSIDE, TEXT, Visit, as_table, marks, open_correction, opened, predict

pytest_plugins = ["tests.serving.browser"]


# Lowest contrast of each visible text with what is behind it, with the text it belongs to.
CONTRAST = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const linear = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return rgba("white");
  };
  const found = [];
  const check = (element, colour, text) => {
    const [a, b] = [light(rgba(colour)), light(behind(element))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), text.trim().slice(0, 40)]);
  };
  for (const element of document.querySelectorAll("body *")) {
    if (!element.checkVisibility()) continue;
    const text = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data).join("");
    const style = getComputedStyle(element);
    if (text.trim()) check(element, element instanceof SVGElement ? style.fill : style.color, text);
    if (element.matches("mark")) check(element, getComputedStyle(element, "::after").color, element.dataset.label);
    if (element.placeholder) check(element, getComputedStyle(element, "::placeholder").color, element.placeholder);
  }
  return found.sort((a, b) => a[0] - b[0])[0];
}"""


# ---- traffic


def test_traffic_is_drawn_and_told(page: Any, visit: Visit) -> None:
    page.get_by_role("link", name="Traffic").click()
    requests = page.get_by_role("img", name=re.compile("Requests per second over the last minute: at most"))
    requests.wait_for()
    assert requests.locator("rect.bar").count() > 40
    latency = page.get_by_role("img", name=re.compile("Latency"))
    assert latency.locator("polyline").count() >= 4  # quiet seconds cut it
    numbers = page.locator("#tiles").inner_text().split("\n")
    assert dict(zip(numbers[::2], numbers[1::2], strict=True)) == {
        "Requests": "12,345", "Texts": "24,690", "Errors": "7", "Rejected": "7",
    }  # fmt: skip
    page.get_by_text("The figures as a table").click()
    expect(page.locator("#traffic-rows tbody tr")).to_have_count(60)


def test_traffic_is_asked_for_each_second_while_the_page_is_seen(profile: Callable[..., Visit], fake: Fake) -> None:
    visit = profile()
    visit.page.clock.install()
    page = opened(visit, fake.address)
    expect(page.locator("#live")).to_contain_text("requests/s")

    stats = f"{fake.address}v1/stats"
    for _ in range(2):
        with page.expect_request(stats):
            page.clock.run_for(1000)
    hide = """hidden => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    page.clock.run_for(1000)
    visit.requests.clear()
    page.clock.run_for(5000)
    page.evaluate("fetch('/v1/models').then(answer => answer.text())")
    assert visit.requests == [f"{fake.address}v1/models"]
    with page.expect_request(stats):
        page.evaluate(hide, False)


# ---- key and errors


def test_a_key_is_asked_for_and_kept_in_the_tab_only(visit: Visit, fake: Fake) -> None:
    fake.keyed = True
    page = opened(visit, fake.address)
    field = page.get_by_label("API key")
    expect(field).to_be_focused()
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#key-status")).to_have_text("The service does not accept this key. Check that it is complete.")
    field.fill(KEY)
    page.keyboard.press("Enter")
    expect(field).to_be_hidden()
    predict(page, TEXT)
    assert page.evaluate("sessionStorage.getItem('burnish-key')") == KEY
    assert KEY not in page.evaluate("JSON.stringify(localStorage) + document.cookie + location.href")
    page.get_by_role("button", name="Forget the key").click()
    expect(field).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_a_key_that_may_not_predict_can_be_forgotten(visit: Visit, fake: Fake) -> None:
    fake.keyed = True
    page = opened(visit, fake.address)
    field = page.get_by_label("API key")
    field.fill(KEY)
    refusal = {"status": 403, "detail": "this key is not for predict"}
    page.route("**/v1/models", lambda route: route.fulfill(status=403, json=refusal), times=1)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Your key does not allow this.")
    page.get_by_role("button", name="Forget the key").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(field).to_be_focused()
    expect(page.locator("#forget")).to_be_hidden()
    assert page.evaluate("sessionStorage.length") == 0


def test_a_key_is_sent_where_storage_is_blocked(profile: Callable[..., Visit], fake: Fake) -> None:
    visit = profile()
    visit.page.add_init_script(
        """for (const name of ["localStorage", "sessionStorage"]) {
            Object.defineProperty(window, name, { get() { throw new DOMException("blocked", "SecurityError"); } });
        }"""
    )
    fake.keyed = True
    page = opened(visit, fake.address)
    page.get_by_label("API key").fill(KEY)
    page.keyboard.press("Enter")
    predict(page, TEXT)
    page.get_by_role("button", name="Forget the key").click()
    expect(page.get_by_label("API key")).to_be_visible()


def test_problems_are_told_in_plain_words(page: Any, fake: Fake) -> None:
    told: list[tuple[int, dict[str, str], list[str]]] = [
        (413, {}, ["The text is too long for this service. Shorten it."]),
        (429, {"Retry-After": "3"}, ["The service has too much to do.", "Try again in 3 s."]),
        (503, {}, ["The service cannot do this right now. Wait a little, then try again."]),
        (418, {}, ["The service failed with status 418. Try again; its log says more."]),
    ]
    for status, headers, wanted in told:
        fake.problem = (status, "<i>said by the service</i>", headers)
        page.locator(".example").first.click()
        expect(page.get_by_role("alert").locator("p")).to_have_text(
            [*wanted, "<i>said by the service</i>", "Request r1"]
        )


def test_the_page_goes_on_once_a_model_has_started(visit: Visit, fake: Fake) -> None:
    fake.models = [{"name": "conll", "state": "starting"}]  # what a model is for is known once it is open
    page = opened(visit, fake.address)
    expect(page.locator("#notice")).to_have_text("The model is starting. This page goes on as soon as it is ready.")
    expect(page.locator("#ask")).to_be_hidden()
    fake.models = [{"name": "conll", "state": "failed"}, models()[0]]
    expect(page.locator("#notice")).to_have_text("This model did not start. The service's log says why.")
    fake.models = []
    page.reload()
    expect(page.locator("#notice")).to_have_text("The service has no model at the moment.")
    fake.models = models()
    page.reload()
    predict(page, TEXT)


def test_an_answer_is_waited_for(page: Any, fake: Fake) -> None:
    fake.problem = (503, "starting", {"Retry-After": "1"})
    page.locator(".example").first.click()
    expect(page.locator("#status")).to_have_text("The model is not ready yet. Trying again in 1 s …")
    page.locator("#answer mark").first.wait_for()
    assert len(fake.asked) == 2


def test_a_service_that_is_gone_is_told(page: Any) -> None:
    page.locator(".example").first.wait_for()
    page.context.set_offline(True)
    page.locator(".example").first.click()
    expect(page.get_by_role("alert")).to_contain_text("Check that “burnish serve” is running")


# ---- safety


def test_markup_in_texts_and_labels_does_nothing(page: Any, visit: Visit, fake: Fake) -> None:
    attack = "<b>Bold</b> <script>bad()</script><img src=/stolen onerror=bad()>"
    page.evaluate("() => { window.bad = () => (document.title = 'broken'); }")
    predict(page, attack)
    open_correction(page)
    as_table(page)
    assert marks(page) == [("<b>Bold</b>", "<img src=x onerror=bad()>")]
    assert page.locator(".text").first.text_content() == attack
    assert page.locator("main img, main script, main b:has-text('Bold')").count() == 0
    assert page.title() == "burnish: try the model"
    assert not [url for url in visit.requests if "stolen" in url or url.endswith("/x")]


def test_sources_hold_no_way_to_parse_markup() -> None:
    for file in PAGE.glob("*.js"):
        source = file.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", source)
    for file in PAGE.iterdir():
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|//cdn", file.read_text(encoding="utf-8"))
    assert not re.search(r"<script(?![^>]*src)|\sstyle=|\son\w+=", (PAGE / "index.html").read_text(encoding="utf-8"))


# ---- languages and looks


def test_both_languages_have_every_word(page: Any) -> None:
    found = page.evaluate("import('/page/words.js').then(({ WORDS, EXAMPLES }) => [WORDS, EXAMPLES])")
    english, chinese = found[0]["en"], found[0]["zh-CN"]
    places = {key: sorted(re.findall(r"\{\w+\}", text)) for key, text in english.items()}
    assert {key: sorted(re.findall(r"\{\w+\}", text)) for key, text in chinese.items()} == places
    source = "".join(file.read_text(encoding="utf-8") for file in PAGE.iterdir() if file.name != "words.js")
    named = set(re.findall(r'data-say(?:-\w+)?="(\w+)"', source))
    assert named <= set(english)
    # A key that nothing names is a word that nobody sees; these are put together from parts.
    parts = r"problem\w+|time(Queue|Model|Rest)"
    assert [key for key in english if f'"{key}"' not in source and not re.fullmatch(parts, key)] == []
    written = re.sub(r"<noscript>.*?</noscript>|<[^>]*>", " ", (PAGE / "index.html").read_text(encoding="utf-8"))
    assert set(written.split()) == {"burnish", "p50", "p95", "p99"}
    assert set(found[1]["en"]) == set(found[1]["zh-CN"]) == {"tag", "classify", "pair", "score"}


def test_language_is_the_browsers_until_it_is_switched(profile: Callable[..., Visit], fake: Fake) -> None:
    visit = profile(locale="zh-CN")
    page = opened(visit, fake.address)
    page.locator(".example").first.click()
    expect(page.get_by_role("heading", name="结果")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    page.locator("#answer mark").first.wait_for()
    assert marks(page) == [("欧阳雨桐", "PER"), ("北京", "LOC"), ("金叶能源有限公司", "ORG")]
    expect(page.locator(".times-taken")).to_contain_text("模型 4.6 毫秒")
    page.get_by_role("button", name="English").click()
    expect(page.locator(".times-taken")).to_contain_text("model 4.6 ms")
    expect(page.locator("#status")).not_to_contain_text("正")
    shown = page.locator("#ask label, #ask button.main, #facts, h2, .times-taken, summary").all_inner_texts()
    assert not re.search("[一-鿿]", " ".join(shown))
    page.reload()
    expect(page.get_by_role("button", name="中文")).to_be_visible()
    assert page.evaluate("[document.documentElement.lang, document.title]") == ["en", "burnish: try the model"]


def test_theme_is_the_systems_until_it_is_switched(page: Any) -> None:
    def ground() -> list[int]:
        return [
            int(part)
            for part in re.findall(
                r"\d+", page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
            )
        ]

    button = page.get_by_role("button", name="Dark")
    assert min(ground()) > 200
    page.emulate_media(color_scheme="dark")
    assert max(ground()) < 60
    expect(button).to_have_attribute("aria-pressed", "true")
    button.click()
    assert min(ground()) > 200
    page.reload()
    assert min(ground()) > 200


def test_every_text_can_be_read(page: Any, fake: Fake) -> None:
    def check() -> None:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            lowest = page.evaluate(CONTRAST)
            assert lowest[0] >= 4.5, (scheme, lowest)

    predict(page, EMOJI.replace("Kyoto", "Red Cross"))
    open_correction(page)
    as_table(page)
    check()
    predict(page, "hello", model="intents")
    check()
    page.get_by_role("link", name="Compare").click()
    page.locator(".example").first.click()
    page.locator(".sides").wait_for()
    check()
    fake.problem = (413, "too large", {})
    page.locator(".example").first.click()
    page.get_by_role("alert").wait_for()
    check()
    page.locator("#model").select_option("conll")
    page.get_by_role("link", name="Traffic").click()
    page.locator(".chart").first.wait_for()
    check()


def test_nothing_sticks_out_on_a_narrow_screen(page: Any) -> None:
    page.set_viewport_size({"width": 360, "height": 640})
    width = "document.documentElement.scrollWidth"
    predict(page, "Anna Berger " + "x" * 200)
    open_correction(page)
    as_table(page)
    assert page.evaluate(width) == 360
    page.get_by_role("link", name="Compare").click()
    page.get_by_role("button", name="Compare").click()
    page.locator(".sides").wait_for()
    assert page.evaluate(width) == 360
    page.get_by_role("link", name="Traffic").click()
    page.locator(".chart").first.wait_for()
    page.get_by_text("The figures as a table").click()
    assert page.evaluate(width) == 360


def test_every_field_has_a_name(page: Any) -> None:
    predict(page, TEXT)
    open_correction(page)
    named = "all => all.filter(one => !(one.labels?.length || one.ariaLabel || one.textContent.trim())).length"
    assert page.locator("input, select, textarea, button, a, [role=textbox], [role=region]").evaluate_all(named) == 0


# ---- clipboard


def test_the_result_can_be_copied(page: Any) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    predict(page, TEXT)
    page.get_by_role("button", name="Copy the result").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert [entity["text"] for entity in copied["entities"]] == ["Anna Berger", "Berlin", "Oslo"]


def test_without_a_secure_context_the_reason_stands_in_place_of_the_button(visit: Visit, fake: Fake) -> None:
    page = opened(visit, fake.address.replace("127.0.0.1", OUTSIDE))
    predict(page, TEXT)
    expect(page.get_by_text("only on localhost or over TLS (https)")).to_be_visible()
    expect(page.get_by_role("button", name="Copy the result")).to_have_count(0)
