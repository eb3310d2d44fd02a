"""Texts as perf_analyzer reads them."""

import json
from collections.abc import Sequence
from pathlib import Path

from clients.errors import RequestRejected
from clients.request import single_request, split_requests


def prepare_inputs(
    texts: Sequence[str], pairs: Sequence[str | None] | None, tasks: Sequence[str] | None, file: Path
) -> None:
    """Write `file` for perf_analyzer's --input-data: one request a text, as Client.predict would send it.

    They are sent in this order, and then again from the top.

    pairs    one per text, None for a text that has none
    tasks    the tasks that every request asks; None asks all

    Raises RequestRejected naming the row that the server would refuse.
    """
    if not texts:
        raise RequestRejected("there are no texts to load the server with: give some")
    split_requests(texts, pairs, tasks, all_scores=False)  # checks all rows, and names the wrong one
    requests = [
        single_request(text, pair, tasks, all_scores=False)
        for text, pair in zip(texts, pairs or [None] * len(texts), strict=True)
    ]
    # The shape is that of one text, with which nlu ([1], batches apart) and the ensembles ([-1]) are both content.
    steps = [
        {column.name: {"content": column.values, "shape": [1]} for column in request.columns()} for request in requests
    ]
    file.write_text(json.dumps({"data": steps}), encoding="utf-8")
