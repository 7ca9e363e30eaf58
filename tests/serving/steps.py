"""What is done on the page in its tests, and where: a browser profile that remembers what was asked for."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import expect

from tests.serving.fake import Fake

TEXT = "Anna Berger flew from Berlin to Oslo."
EMOJI = "🎉👩‍🔬 Amara Okafor left 𠮷野 for Kyoto 🇳🇴, then Oslo"
WINDOW = {"width": 1040, "height": 800}
OUTSIDE = "page.test"  # a name that the browser takes for this machine, and that is no secure context


class Visit:
    """A page of a browser profile, with all that it asked for and complained of.

    Args:
        options: of the profile, such as its locale.
    """

    def __init__(self, browser: Any, **options: Any) -> None:
        self.context = browser.new_context(**{"locale": "en-US", "viewport": WINDOW, **options})
        self.context.set_default_timeout(15_000)
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)

    def check(self, fake: Fake) -> None:
        """Nothing has left the service, and no script has failed or was stopped by the policy."""
        port = fake.address.rsplit(":", 1)[1]
        assert self.requests
        assert {re.sub(r"^http://(127\.0\.0\.1|page\.test):", "", url)[: len(port)] for url in self.requests} == {port}
        assert [said for said in self.complaints if "Failed to load resource" not in said] == []


def opened(visit: Visit, address: str) -> Any:
    visit.page.goto("about:blank")  # else a link within the page would do
    visit.page.goto(address)
    return visit.page


def predict(page: Any, *texts: str, model: str = "conll") -> None:
    """Choose a model, write the texts, and ask with the keyboard."""
    page.locator("#model").select_option(model)
    for area, text in zip(page.locator("textarea").all(), texts, strict=False):
        area.fill(text)
    with page.expect_response("**/v1/predict"):
        page.keyboard.press("Control+Enter")
    page.locator("#answer .answer").wait_for()


def marks(page: Any, place: str = "#answer") -> list[tuple[str, str]]:
    return [(mark.inner_text(), mark.get_attribute("data-label")) for mark in page.locator(f"{place} mark").all()]


def open_correction(page: Any) -> None:
    page.get_by_text("Not right? Send a correction").click()


def as_table(page: Any) -> None:
    page.get_by_text("As a table", exact=True).click()


def send(page: Any, fake: Fake) -> dict[str, Any]:
    """Send the correction; returns what came to the service."""
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".correction .outcome")).to_have_text("Thank you. The correction is kept as c1.")
    return fake.feedback[0]
