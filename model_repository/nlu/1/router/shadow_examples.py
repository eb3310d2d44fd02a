"""Keeps texts for which a shadow's answer differs from the live version's; `espalier status` shows them."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from router.answer_from_logits import Answer
from router.registry import Version
from router.row import Row

_MOST_BYTES = 64 * 1024  # of a task's file: a few hundred examples


class ShadowExamples:
    """Appends to shadow_<task>.jsonl in the repository until the file is full. Several processes may do so at once."""

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        self._full: set[Version] = set()

    def keep(self, version: Version, examples: Sequence[tuple[Row, Answer, Answer]]) -> None:
        """Keeps a shadow's examples: (row, live answer, shadow's answer). Logs a warning if they cannot be written."""
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
                    out.flush()  # one write per line keeps the lines of several processes apart
        except OSError as error:
            self._full.add(version)
            logging.getLogger(__name__).warning("examples of differing answers are not kept: %s", error)
