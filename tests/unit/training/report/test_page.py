import base64
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from matplotlib.figure import Figure

from training.report import page as page_module
from training.report.collected_results import CollectedResults
from training.report.figures.style import new_figure
from training.report.figures.trade_off import Point
from training.report.page import Page, make_page
from training.selection.mixed import mixed


class Reader(HTMLParser):
    """The page's tags in order, and its text without markup."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, "a tag is closed that is not the last opened"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)


@pytest.fixture(scope="module")
def reader(page: Page) -> Reader:
    return Reader(page.html)


def test_the_page_needs_nothing_from_outside(page: Page, reader: Reader) -> None:
    assert reader.open == []
    assert not {tag for tag, _ in reader.tags} & {"script", "link", "iframe", "object"}
    assert "url(" not in page.html
    assert "http" not in page.html
    addresses = [str(of.get("src") or of.get("href")) for _, of in reader.tags if "src" in of or "href" in of]
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in addresses)


def test_each_plot_is_in_the_page_and_in_the_folder_and_described(page: Page, reader: Reader) -> None:
    shown = {of["data-file"]: of for tag, of in reader.tags if tag == "img"}
    general = ["teacher_layers.png", "student_layers.png", "trade_off.png", "search_cost.png"]
    of_tasks = [f"task_{task}_learning_curves.png" for task in ("rte", "slots", "stsb", "topics")]
    assert [image.file for image in page.images] == list(shown) == general + of_tasks
    for image in page.images:
        source = shown[image.file]["src"]
        assert source is not None
        assert base64.b64decode(source.removeprefix("data:image/png;base64,")) == image.png
        assert shown[image.file]["alt"]


def test_sections_come_in_the_order_of_the_question_asked(reader: Reader) -> None:
    order = [of["id"] for tag, of in reader.tags if tag == "h2"]
    assert order == [
        "summary",
        "table",
        "teachers",
        "students",
        "trade-off",
        "convergence",
        "cost",
        "published",
        "tasks",
    ]


def test_the_summary_and_the_table_say_what_the_first_threshold_reaches(page: Page, reader: Reader) -> None:
    assert "82.2 points on average" in reader.text
    assert "of full fine-tuning over the 3 tasks with both scores" in reader.text
    chosen = page.html.split('<th class="chosen">')
    assert chosen[1].startswith("mixed (c = 1)<")
    assert len(chosen) == 2
    assert "70.0 (T4)" in reader.text


def test_the_trade_off_says_how_many_tasks_are_compared(reader: Reader) -> None:
    assert "The shares count only the 3 of 4 tasks that have full fine-tuning" in reader.text


def test_what_comes_from_outside_is_escaped(page: Page, reader: Reader) -> None:
    assert "try less than <5e-05>." in reader.text
    assert "&lt;5e-05&gt;" in page.html
    assert reader.text.count("No model was <loaded>.") == 4


def test_costs_without_the_baseline_are_given_in_seconds(reader: Reader) -> None:
    assert "slots 20.0 150 5.0 75.0 250 \u2013 \u2013" in reader.text
    assert "rte 20.0 150 5.0 75.0 250 100 2.5" in reader.text


def test_failed_trials_are_told_with_their_reason(reader: Reader) -> None:
    assert "Failed: student of 3 layers, learning rate 5e-05, seed 0: the loss of rte is nan" in reader.text


def test_chosen_branches_are_described(reader: Reader) -> None:
    assert "Chosen: teacher of 4 layers on tap 2: accuracy 70.0, macro F1 68.0." in reader.text
    assert "Pair regression; 2,490 train rows and 277 dev rows. Chosen: student of 1 layer on tap 4" in reader.text


def test_what_is_missing_is_said_and_not_drawn(results: CollectedResults) -> None:
    slots = replace(results, tasks=[task for task in results.tasks if task.name == "slots"], joint=None)
    page = make_page(slots, [mixed(slots.options, 1)], {"slots": "none"})
    text = Reader(page.html).text
    assert "for each of 1 task," in text
    assert "No task has students of both starts" in text
    assert "No search trained full fine-tuning" in text
    assert not {"student_layers.png", "search_cost.png"} & {image.file for image in page.images}


def test_thresholds_that_choose_the_same_share_a_name(
    results: CollectedResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []

    def spy(marked: list[Point], **_: object) -> Figure:
        names.extend(point.name for point in marked)
        return new_figure(1, 1)

    monkeypatch.setattr(page_module, "draw_trade_off", spy)
    suites = [mixed(results.options, threshold) for threshold in (1.0, 40.0, 50.0)]
    make_page(results, suites, dict.fromkeys(results.names, "none"))
    assert names == ["c = 1", "c = 40, 50"]
