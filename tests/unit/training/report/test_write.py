import os
from pathlib import Path

import pytest

from training.atomic_write import replace_file
from training.errors import TrainingError
from training.report import write
from training.report.page import Page
from training.report.write import check_place, write_report


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def written(page: Page, tmp_path: Path) -> Path:
    folder = tmp_path / "new" / "report"
    write_report(folder, page)
    return folder


def test_a_new_folder_gets_the_page_and_its_plots(page: Page, written: Path) -> None:
    assert names_in(written) == {"report.html", *(image.file for image in page.images)}
    assert (written / "report.html").read_text(encoding="utf-8") == page.html
    assert all((written / image.file).read_bytes() == image.png for image in page.images)


def test_an_earlier_report_is_replaced_with_its_plots(page: Page, written: Path) -> None:
    (written / ".staged").mkdir()  # a report that was killed leaves it
    fewer = Page(page.html.replace("Espalier report", "Later"), page.images[:1])
    write_report(written, fewer)
    assert names_in(written) == {"report.html", "teacher_layers.png"}
    assert "Later" in (written / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["notes.txt", "photo.png"])
def test_a_folder_with_other_things_is_refused_and_left_alone(page: Page, written: Path, name: str) -> None:
    (written / name).write_text("mine")
    before = (written / "report.html").stat().st_mtime_ns
    with pytest.raises(TrainingError, match=f"holds other things than an earlier report \\({name} is there\\)"):
        write_report(written, page)
    assert (written / "report.html").stat().st_mtime_ns == before
    assert (written / name).read_text() == "mine"


def test_a_page_of_someone_else_is_no_earlier_report(page: Page, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("<html>mine</html>")
    with pytest.raises(TrainingError, match=r"report\.html is there"):
        write_report(tmp_path, page)


def test_an_empty_folder_will_do_and_a_file_will_not(tmp_path: Path) -> None:
    check_place(tmp_path)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(TrainingError, match="is not a folder"):
        check_place(file)


def full_disk(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_failure_while_writing_leaves_the_earlier_report(
    page: Page, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in written.iterdir()}
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_report(written, Page("", page.images))
    assert {path.name: path.read_bytes() for path in written.iterdir()} == before


def test_a_report_that_failed_at_its_plots_can_be_written_again(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def room_for_the_page_alone(file: Path, content: str | bytes, staged_in: Path) -> None:
        if file.suffix == ".png":
            full_disk()
        replace_file(file, content, staged_in)

    monkeypatch.setattr(write, "replace_file", room_for_the_page_alone)
    with pytest.raises(OSError, match="No space left"):
        write_report(tmp_path, page)
    monkeypatch.undo()
    write_report(tmp_path, page)
    assert names_in(tmp_path) == {"report.html", *(image.file for image in page.images)}
