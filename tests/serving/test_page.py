"""The page of `burnish serve` in a real browser, against a service with made-up predictions: try, compare, correct."""

from __future__ import annotations

import json
import re
import shutil
from typing import Any

import pytest

pytest.importorskip("playwright")
if shutil.which("chromium") is None:
    pytest.skip("needs chromium", allow_module_level=True)

from playwright.sync_api import expect

from tests.serving.fake import CLASSES, Fake
from tests.serving.steps import EMOJI, TEXT, as_table, marks, open_correction, predict, send

pytest_plugins = ["tests.serving.browser"]


# ---- try


def test_entities_stand_at_their_code_points(page: Any, fake: Fake) -> None:
    predict(page, EMOJI)
    assert marks(page) == [("Amara Okafor", "PER"), ("𠮷野", "LOC"), ("Kyoto", "LOC"), ("Oslo", "LOC")]
    assert page.locator("#answer .text").text_content() == EMOJI
    assert fake.asked == [{"model": "conll", "inputs": [EMOJI]}]
    expect(page.locator("#answer .legend")).to_have_text("LOC 3PER 1")
    assert page.locator("#answer mark.hue-0").count() == 3  # a colour a label
    as_table(page)
    start = EMOJI.index("𠮷野")
    row = page.locator("#answer tbody tr").nth(1)
    assert row.locator("th, td").all_inner_texts() == ["𠮷野", "LOC", "98.7 %", f"{start}–{start + 2}"]


def test_scores_show_on_hover_and_on_focus(page: Any) -> None:
    predict(page, TEXT)
    mark = page.locator("#answer mark").first
    shown = "mark => [getComputedStyle(mark, '::before').display, getComputedStyle(mark, '::before').content]"
    assert mark.evaluate(shown)[0] == "none"
    mark.hover()
    assert mark.evaluate(shown) == ["block", '"98.7 %"']
    page.mouse.move(0, 0)
    mark.focus()
    assert mark.evaluate(shown)[0] == "block"


def test_time_is_split_into_its_parts(page: Any) -> None:
    predict(page, TEXT)
    said = page.locator(".times-taken").inner_text()
    assert re.search(r"[\d.]+ ms in all\s+waiting 0.4 ms\s+model 4.6 ms\s+network and service [\d.]+ ms", said)
    widths = page.locator(".timeline span").evaluate_all("all => all.map(one => one.getBoundingClientRect().width)")
    assert widths[1] > widths[0] > 0


def test_classes_are_sorted_and_the_rest_is_folded_away(page: Any) -> None:
    predict(page, "where is my refund", model="intents")
    shown = page.locator(".bars li:visible .name")
    assert shown.all_inner_texts()[0] == "refund chosen"
    assert shown.all_inner_texts()[1:] == ["wrong_item", "exchange_rate", "card_arrival", "pin_change"]
    page.get_by_role("button", name="Show all 7").click()
    assert shown.count() == 7
    expect(page.get_by_role("button", name="Show fewer")).to_be_focused()


def test_pair_asks_about_two_texts(page: Any, fake: Fake) -> None:
    predict(page, "one", "two", model="same-question")
    assert fake.asked[0]["inputs"] == [["one", "two"]]
    expect(page.locator(".bars .chosen .name")).to_have_text("same chosen")


def test_score_stands_on_a_scale(page: Any, fake: Fake) -> None:
    predict(page, "it burns", model="urgency")
    expect(page.locator(".big")).to_have_text("4.20")
    assert page.locator(".scale text").all_text_contents() == ["0", "1", "2", "3", "4", "5"]
    assert fake.asked[0]["inputs"] == ["it burns"]
    predict(page, "it burns", "or not", model="urgency")
    assert fake.asked[1]["inputs"] == [["it burns", "or not"]]


def test_an_example_is_asked_at_once(page: Any, fake: Fake) -> None:
    page.locator(".example").first.click()
    page.locator("#answer mark").first.wait_for()
    assert page.get_by_label("Text", exact=True).input_value() == fake.asked[0]["inputs"][0]


def test_nothing_is_asked_without_a_text(page: Any, fake: Fake) -> None:
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#status")).to_have_text("Write a text first.")
    expect(page.get_by_label("Text", exact=True)).to_be_focused()
    assert not fake.asked


# ---- a guard


def redact(page: Any, taken: str, answers: int = 1) -> None:
    """Let the next answers be those to a text in which a placeholder stands for what is `taken` out."""

    def answer(route: Any) -> None:
        asked = route.request.post_data_json
        (given,) = asked["inputs"]
        answered = route.fetch(post_data=json.dumps({**asked, "inputs": [given.replace(taken, "<EMAIL>")]}))
        finding = {"text": 0, "check": "personal", "kind": "email", "start": given.index(taken), "action": "redact"}
        told = {"input": 0, "action": "human", "findings": [finding, {**finding, "action": "human"}]}
        route.fulfill(response=answered, json={**answered.json(), "guard": [told]})

    page.route("**/v1/predict", answer, times=answers)


def test_entities_of_a_redacted_text_stand_in_a_table_alone(page: Any) -> None:
    text = "To anna.berger@example.org: Amara Okafor is in Oslo."
    redact(page, "anna.berger@example.org")
    predict(page, text)
    expect(page.locator("#answer .notice")).to_contain_text("Places are those of the text as it was read")
    assert marks(page) == []
    row = page.locator("#answer tbody tr").first
    assert row.locator("th, td").all_inner_texts() == ["Amara Okafor", "PER", "98.7 %", "12–24"]
    expect(page.locator(".correction, .why-fold")).to_have_count(0)
    page.locator("#language").click()
    expect(page.locator("#answer .notice")).to_contain_text("位置以去除后的文本为准")
    page.locator("#language").click()
    predict(page, text)
    expect(page.locator("#answer .notice")).to_have_count(0)
    assert marks(page) == [("Amara Okafor", "PER"), ("Oslo", "LOC")]
    expect(page.locator(".correction")).to_have_count(1)


def test_a_class_of_a_redacted_text_is_told_as_one(page: Any) -> None:
    redact(page, "a@b.org")
    predict(page, "where is my refund, a@b.org", model="intents")
    expect(page.locator("#answer .notice")).to_contain_text("The guard took something out of this text")
    expect(page.locator("#answer .notice")).not_to_contain_text("Places")
    expect(page.locator(".correction, .why-fold")).to_have_count(0)


def test_variants_are_compared_on_a_redacted_text(page: Any) -> None:
    redact(page, "anna.berger@example.org", answers=12)
    page.get_by_role("link", name="Compare").click()
    page.get_by_label("Text", exact=True).fill("To anna.berger@example.org: Amara Okafor is in Oslo.")
    page.get_by_role("button", name="Compare").click()
    page.locator(".sides").wait_for()
    expect(page.locator("#comparison .notice")).to_contain_text("Places are those of the text as it was read")
    assert marks(page, "#comparison") == []
    assert page.locator(".side tbody th").all_inner_texts() == ["Amara Okafor", "Amara Okafor", "Oslo only here"]


# ---- explain


def test_words_that_speak_for_an_answer_and_against_it(page: Any, fake: Fake) -> None:
    predict(page, "where is my refund", model="intents")
    assert fake.explained == []  # nothing is asked before somebody wants to know
    page.locator(".why-fold summary").first.click()
    spans = page.locator(".why-fold .text .why")
    expect(spans).to_have_text(["where", "refund"])
    assert [span.get_attribute("class") for span in spans.all()] == ["why for", "why against"]
    assert [span.get_attribute("title") for span in spans.all()] == ["+1.50", "−0.50"]
    assert page.locator(".why-fold .text").text_content() == "where is my refund"
    shade = "span => getComputedStyle(span).backgroundColor"
    assert len({span.evaluate(shade) for span in spans.all()}) == 2
    assert fake.explained[0]["target"] == "refund"
    asked = fake.asked[0]["inputs"][0]
    assert fake.explained[0] == {"model": "intents", "variant": "throughput", "input": asked, "target": "refund"}


def test_another_class_can_be_asked_about(page: Any, fake: Fake) -> None:
    predict(page, "where is my refund", model="intents")
    page.locator(".why-fold summary").first.click()
    expect(page.locator(".why-fold .legend")).to_contain_text("speaks for refund")
    page.locator(".why-fold select").select_option("wrong_item")
    expect(page.locator(".why-fold .legend")).to_contain_text("speaks for wrong_item")
    assert [body["target"] for body in fake.explained] == ["refund", "wrong_item"]


def test_an_entity_is_explained_in_its_place(page: Any, fake: Fake) -> None:
    predict(page, EMOJI)
    page.locator(".why-fold summary").first.click()
    expect(page.locator(".why-fold .why").first).to_be_visible()
    start = EMOJI.index("Amara Okafor")
    assert fake.explained[0]["at"] == [start, start + len("Amara Okafor")]
    assert page.locator(".why-fold .text").text_content() == EMOJI


def test_both_texts_of_a_pair_are_explained(page: Any) -> None:
    predict(page, "one text", "another one", model="same-question")
    page.locator(".why-fold summary").first.click()
    expect(page.locator(".why-fold .text")).to_have_text(["one text", "another one"])
    expect(page.locator(".why-fold .why.against:not(.key)")).to_have_text(["text", "one"])


# ---- compare


def test_variants_are_compared(page: Any, fake: Fake) -> None:
    page.get_by_role("link", name="Compare").click()
    page.get_by_label("Text", exact=True).fill(TEXT)
    page.get_by_role("button", name="Compare").click()
    page.locator(".sides").wait_for()
    sides = page.locator(".side")
    assert sides.locator("h3").all_inner_texts() == ["torch", "throughput"]
    assert page.locator("mark.differs").all_inner_texts() == ["Oslo"]
    said = page.locator(".verdict").inner_text()
    assert said.startswith("They differ. Entities that only one of them finds are outlined: left 0, right 1.")
    assert said.endswith("throughput is 4.3 times as fast as torch.")
    assert re.search(r"p50 of the model\s+20 ms\s+p50 in all\s+[\d.]+ ms", sides.first.inner_text())
    assert [body["variant"] for body in fake.asked][:4] == ["torch", "throughput", "torch", "throughput"]
    assert len(fake.asked) == 12  # one each to begin with, then five repeats each


def test_classes_that_differ_are_marked(page: Any) -> None:
    page.locator("#model").select_option("intents")
    page.get_by_role("link", name="Compare").click()
    page.locator(".example").first.click()
    expect(page.locator(".verdict")).to_contain_text("They differ: wrong_item against refund.")
    expect(page.locator(".verdict")).to_contain_text("39.0 points, for wrong_item")
    assert page.locator(".side").first.locator(".differs .name").all_inner_texts() == ["wrong_item chosen", "refund"]


def test_one_variant_has_nothing_to_compare_with(page: Any, fake: Fake) -> None:
    page.locator("#model").select_option("same-question")
    page.get_by_role("link", name="Compare").click()
    expect(page.locator("#one-variant")).to_be_visible()
    expect(page.get_by_role("button", name="Compare")).to_have_count(0)
    page.locator(".example").first.click()
    expect(page.locator("#status")).to_be_empty()
    assert not fake.asked


# ---- correct


def test_correct_a_class(page: Any, fake: Fake) -> None:
    predict(page, "hello", model="intents")
    open_correction(page)
    expect(page.get_by_role("radio", name="refund")).to_be_checked()
    page.get_by_role("radio", name="pin_change").check()
    page.get_by_label("Comment (optional)").fill("PIN, not money")
    sent = send(page, fake)
    assert (sent["model"], sent["input"], sent["label"]) == ("intents", "hello", "pin_change")
    assert (sent["request_id"], sent["comment"]) == ("r1", "PIN, not money")
    assert sent["version"]
    assert set(sent["prediction"]["probabilities"]) == set(CLASSES)


def test_correct_several_classes(page: Any, fake: Fake) -> None:
    predict(page, "hello", model="topics")
    open_correction(page)
    page.get_by_role("checkbox", name="politics").uncheck()
    page.get_by_role("checkbox", name="health").check()
    assert sorted(send(page, fake)["label"]) == ["health", "sports"]


def test_correct_a_value(page: Any, fake: Fake) -> None:
    predict(page, "hello", model="urgency")
    open_correction(page)
    page.get_by_label("The right value").fill("")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".correction .outcome")).to_have_text("Write a number first.")
    page.get_by_label("The right value").fill("2.5")
    assert send(page, fake)["label"] == 2.5


def test_a_correction_that_fails_can_be_sent_again(page: Any, fake: Fake) -> None:
    predict(page, "hello", model="urgency")
    open_correction(page)
    fake.problem = (403, "this key is not for feedback", {})
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_contain_text("Your key does not allow this.")
    fake.feedback.clear()
    assert send(page, fake)["label"] == 4.2


def test_a_correction_whose_answer_is_lost_may_have_been_kept(page: Any, fake: Fake) -> None:
    predict(page, "hello", model="urgency")
    open_correction(page)

    def lose(route: Any) -> None:
        route.fetch()
        route.abort()

    def cut(route: Any) -> None:
        route.fulfill(status=201, content_type="application/json", body='{"id": ')

    for broken in (lose, cut):
        page.route("**/v1/feedback", broken, times=1)
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("alert")).to_contain_text("If you send it again, it may be kept twice.")
        page.locator(".correction .outcome").evaluate("outcome => outcome.replaceChildren()")
    assert len(fake.feedback) == 1
    fake.problem = (403, "this key is not for feedback", {})
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_contain_text("Your key does not allow this.")
    expect(page.get_by_role("alert")).not_to_contain_text("kept twice")


def test_correct_entities_with_the_mouse(page: Any, fake: Fake) -> None:
    predict(page, EMOJI)
    open_correction(page)
    editor = page.get_by_label("Text with entities")
    editor.locator("mark", has_text="Kyoto").click()
    expect(page.locator(".correction")).to_contain_text("Removed LOC: “Kyoto”")
    box = editor.evaluate("""area => {
      const range = document.createRange();
      const node = [...area.childNodes].find(node => node.data?.includes("then"));
      const at = node.data.indexOf("then");
      range.setStart(node, at);
      range.setEnd(node, at + 4);
      const { x, y, width, height } = range.getBoundingClientRect();
      return [x, y + height / 2, width];
    }""")
    page.mouse.move(box[0] + 1, box[1])
    page.mouse.down()
    page.mouse.move(box[0] + box[2] - 1, box[1])
    page.mouse.up()
    expect(page.locator(".correction")).to_contain_text("Selected: “then”")
    page.get_by_role("button", name="MISC").click()
    expect(page.locator(".correction")).to_contain_text("Added MISC: “then”")
    spans = [("Amara Okafor", "PER"), ("𠮷野", "LOC"), ("then", "MISC"), ("Oslo", "LOC")]
    wanted = [{"start": EMOJI.index(t), "end": EMOJI.index(t) + len(t), "label": label} for t, label in spans]
    assert send(page, fake)["label"] == wanted


# ---- keyboard only


def test_everything_can_be_done_with_the_keyboard(page: Any, fake: Fake) -> None:
    def tab_to(selector: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
                outline = page.evaluate("getComputedStyle(document.activeElement).outline")
                assert re.search(r"solid [1-9]", outline)
                return
        raise AssertionError(f"Tab never comes to {selector}")

    page.locator(".example").first.wait_for()
    tab_to("textarea")
    page.keyboard.type(TEXT)
    page.keyboard.press("Control+Enter")
    page.locator("#answer mark").first.wait_for()
    tab_to("#answer mark")
    tab_to(".correction summary")
    page.keyboard.press("Enter")
    tab_to(".editor")
    page.keyboard.press("Control+Home")
    page.keyboard.press("Control+Delete")  # with the cursor on Anna Berger
    page.keyboard.type("nonsense")
    page.keyboard.press("Control+Home")
    for _ in range(4):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("2")
    assert marks(page, ".editor") == [("Anna", "MISC"), ("Berlin", "LOC"), ("Oslo", "LOC")]
    for _ in range(7):
        page.keyboard.press("Shift+ArrowRight")
    tab_to("button.label:nth-child(4)")
    page.keyboard.press("Enter")
    assert page.locator(".editor").text_content() == TEXT
    tab_to(".correction button.main")
    page.keyboard.press("Enter")
    expect(page.locator(".correction .outcome")).to_contain_text("kept as c1")
    labels = [(span["start"], span["end"], span["label"]) for span in fake.feedback[0]["label"]]
    assert labels == [(0, 4, "MISC"), (5, 11, "PER"), (22, 28, "LOC"), (32, 36, "LOC")]
