"""Texts as perf_analyzer reads them."""

import json
from collections.abc import Sequence
from pathlib import Path

from clients.errors import RequestRejected
from clients.request import single_request, split_requests


def prepare_inputs(
    texts: Sequence[str], pairs: Sequence[str | None] | None, tasks: Sequence[str] | None, file: Path
) -> None:
    """Writes `file` for perf_analyzer's --input-data: one request for each text, as Client.predict sends it.

    perf_analyzer sends them in this order, then again from the top.
    pairs: one for each text; None for a text without a second one.
    tasks: the tasks that every request asks; None asks all.

    Raises RequestRejected, naming the row, if the server would refuse it.
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
