"""Keeps what was measured: the results of finished pieces, on one line each and without the paths of the machine.

A copy of the record is a measurement that was begun: its pieces are done, and the others are left.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from paper_protocol import Piece

from training.atomic_write import replace_file


def record(pieces: Iterable[Piece], output: Path, folder: Path) -> list[str]:
    """Writes each finished piece's result to its place in `folder`. Returns the names of these pieces.

    output: the folder of all searches.
    """
    done = [piece for piece in pieces if piece.is_done]
    for piece in done:
        content = json.loads(piece.result.read_bytes())
        if "data" in content:
            content["data"] = Path(content["data"]).name
        target = folder / piece.result.relative_to(output)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"
        replace_file(target, text, staged_in=target.parent)
    return [piece.name for piece in done]
