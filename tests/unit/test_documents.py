"""Links and paths in the documents lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
FOLDERS = ("training", "build_tools", "clients", "model_repository", "deploy", "tests", "docs")
FILES = [file.as_posix() for folder in FOLDERS for file in (ROOT / folder).rglob("*.*")]


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub gives to a document's headings."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_relative_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8"))
    for link in links:
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_path_of_this_repository_exists(document: Path) -> None:
    """Paths may leave out the folders that the text around them names: `router/router.py`."""
    text = document.read_text(encoding="utf-8")
    folders = re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w/]*)`", text)
    files = re.findall(r"`([\w/]+/\w+\.(?:py|sh|md))`", text)
    missing = [folder for folder in folders if not (ROOT / folder).is_dir()]
    missing += [path for path in files if not any(file.endswith(f"/{path}") for file in FILES)]
    assert missing == []
