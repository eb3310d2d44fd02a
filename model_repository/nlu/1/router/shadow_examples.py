"""Texts for which a shadow says something else than the live version, for `espalier status`."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from router.answer_from_logits import Answer
from router.registry import Version
from router.row import Row

_MOST_BYTES = 64 * 1024  # of a task's file: some hundred examples


class ShadowExamples:
    """Appends to shadow_<task>.jsonl in the repository, the first that are found. Several processes may do so."""

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        self._full: set[Version] = set()

    def keep(self, version: Version, examples: Sequence[tuple[Row, Answer, Answer]]) -> None:
        """examples: (what was asked, the live answer, the shadow's)."""
        if not examples or version in self._full:
            return
        file = self._repository / f"shadow_{version.task}.jsonl"
        try:
            with file.open("a", encoding="utf-8") as out:
                for row, live, shadow in examples:
                    if out.tell() > _MOST_BYTES:
                        self._full.add(version)
                        return
                    entry = {"version": version.number, "text": row.text, "pair": row.pair, "live": live}
                    out.write(json.dumps(entry | {"shadow": shadow}, ensure_ascii=False) + "\n")
                    out.flush()  # a line is one write, so that lines of several processes do not mix
        except OSError as error:
            self._full.add(version)
            logging.getLogger(__name__).warning("examples of differing answers are not kept: %s", error)
