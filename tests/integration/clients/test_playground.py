"""The playground in a real browser, in front of a server whose answers are known."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from browser import needs_chromium, opened_page
from child_process import child_process
from playwright.sync_api import Page, expect

PROGRAM = "from espalier import main; main()"
PATIENCE = 30_000  # milliseconds, on a machine that does other things
ASK_ELSEWHERE = """new Promise(done => {
    document.addEventListener("securitypolicyviolation", violation => done(violation.effectiveDirective));
    fetch("http://127.0.0.1:9/").catch(() => setTimeout(() => done("nothing"), 1000));
})"""

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The page's, which asks the stand-in."""
    stand_in = [sys.executable, str(Path(__file__).with_name("playground_server.py"))]
    with child_process(stand_in, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        command = [sys.executable, "-u", "-c", PROGRAM, "playground", "--url", url, "--port", "0"]
        with child_process(command, stdout=subprocess.PIPE, text=True) as program:
            first = program.stdout.readline()
            assert first.startswith("The playground is at http://127.0.0.1:"), first
            yield first.split()[-1]


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[Page]:
    """The page in a browser, which notes all that it asks for."""
    with opened_page() as page:
        page.asked = []
        page.on("request", lambda request: page.asked.append(request.url))
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        page.goto(address)
        page.wait_for_selector("#ask")
        yield page


def _ask(page: Page, text: str, pair: str = "", compares: bool = False) -> None:
    page.fill("#text textarea", text)
    page.fill("#pair textarea", pair)
    page.set_checked("#compare input", compares)
    page.click("#ask")


def test_every_task_is_answered_with_its_bars_spans_times_and_layers(page: Page) -> None:
    _ask(page, "wake me", "wake up")

    cards = page.locator("#answers .card")
    expect(cards).to_have_count(3)
    intent = page.locator("#answers [data-task=intent]")
    expect(intent).to_contain_text(re.compile(r"canary \(50% of the texts\) v2"))
    expect(intent).to_contain_text(re.compile(r"\d+ ms"))
    expect(intent.locator(".bar.found .name")).to_have_text("<b>music</b>")  # as text, whatever a label is
    assert intent.locator(".bar.found .fill").get_attribute("style") == "width:70.0%"
    mark = page.locator("#answers [data-task=slots] mark")
    expect(mark).to_contain_text("wake")
    expect(mark).to_contain_text("what 0.75")
    expect(page.locator("#answers [data-task=same] .bar.found")).to_contain_text("yes")
    expect(page.locator("#layers td.trunk")).to_have_count(5)
    expect(page.locator("#layers td.branch")).to_have_count(3 + 2 + 2)
    expect(page.locator("#layers")).to_contain_text("The trunk was computed once, 5 layers.")


def test_a_task_that_cannot_answer_says_why_beside_the_others(page: Page) -> None:
    _ask(page, "play jazz")

    expect(page.locator("#answers [data-task=same] .error")).to_contain_text("give a pair")
    expect(page.locator("#answers [data-task=slots] mark")).to_contain_text("play")


def test_live_version_and_canary_are_shown_beside_each_other(page: Page) -> None:
    _ask(page, "play rock", compares=True)

    sides = page.locator("#compared .sides .card")
    expect(sides).to_have_count(2)
    expect(sides.nth(0)).to_contain_text("live v1")
    expect(sides.nth(0).locator(".bar.found")).to_contain_text("alarm")
    expect(sides.nth(1)).to_contain_text("canary (50% of the texts) v2")
    expect(page.locator("#compared")).to_contain_text("slots: version 5 runs as a shadow")


def test_an_empty_text_is_refused_in_the_client_s_words(page: Page) -> None:
    _ask(page, " ")

    expect(page.locator("#answers .error")).to_contain_text("is empty")


def test_the_page_asks_nobody_but_this_machine(page: Page, address: str) -> None:
    _ask(page, "wake me")
    expect(page.locator("#answers .card")).to_have_count(3)

    assert page.asked
    assert [url for url in page.asked if not url.startswith((address, "data:", "blob:"))] == []
    assert page.evaluate(ASK_ELSEWHERE) == "connect-src", "the policy of the page does not forbid it"


def test_a_page_of_another_site_that_leads_here_is_refused(address: str) -> None:
    with pytest.raises(HTTPError, match="400"):
        urlopen(Request(address, headers={"Host": "elsewhere.example"}))
