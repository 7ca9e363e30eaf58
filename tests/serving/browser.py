"""Fixtures of the tests of the page: the fake service, a browser, and a page that is as good as new for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from tests.serving.fake import Fake, models, serve
from tests.serving.steps import OUTSIDE, WINDOW, Visit, opened


@pytest.fixture(scope="module")
def service() -> Iterator[Fake]:
    with serve() as running:
        yield running


@pytest.fixture
def fake(service: Fake) -> Fake:
    service.keyed, service.problem, service.models = False, None, models()
    service.feedback.clear()
    service.asked.clear()
    service.explained.clear()
    return service


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", f"--host-resolver-rules=MAP {OUTSIDE} 127.0.0.1"]
        running = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        yield running
        running.close()


@pytest.fixture
def profile(browser: Any, fake: Fake) -> Iterator[Callable[..., Visit]]:
    """Makes a browser profile of its own, with the options given."""
    made: list[Visit] = []

    def make(**options: Any) -> Visit:
        made.append(Visit(browser, **options))
        return made[-1]

    yield make
    for visit in made:
        visit.context.close()
        visit.check(fake)


@pytest.fixture(scope="module")
def shared(browser: Any) -> Visit:
    return Visit(browser)


@pytest.fixture
def visit(shared: Visit, fake: Fake) -> Iterator[Visit]:
    """One page for all tests, as good as new for each."""
    shared.requests.clear()
    shared.complaints.clear()
    yield shared
    shared.context.set_offline(False)
    shared.page.evaluate("localStorage.clear(), sessionStorage.clear()")
    shared.page.emulate_media(color_scheme="light")
    shared.page.set_viewport_size(WINDOW)
    shared.check(fake)


@pytest.fixture
def page(visit: Visit, fake: Fake) -> Any:
    return opened(visit, fake.address)
