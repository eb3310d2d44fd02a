"""The live version's answer and the canary's, for the same text.

The server chooses the version by the text, always the same one for the same text. Spaces at the end change that choice
and not the answer, so the text is asked with none, one, two, ... of them until both versions have answered.
"""

from collections.abc import Mapping

from clients.answer import Answer
from clients.client import Client
from clients.request import MAX_BATCH_SIZE
from clients.served_tasks import ServedTask

_MOST_REQUESTS = 4  # 256 texts: enough, nearly always, for a canary with 2 % of the texts


def both_versions(
    client: Client, text: str, pair: str | None, tasks: Mapping[str, ServedTask]
) -> dict[str, dict[int, Answer]]:
    """Returns {task: {version: answer}} for the tasks that have a canary; a version that never answered is missing.

    tasks: as the server named them. Raises what Client raises.
    """
    wanted = {task: {served.live, served.canary.version} for task, served in tasks.items() if served.canary}
    found: dict[str, dict[int, Answer]] = {task: {} for task in wanted}
    for request in range(_MOST_REQUESTS):
        missing = [task for task in wanted if wanted[task] - found[task].keys()]
        if not missing:
            break
        spaces = range(request * MAX_BATCH_SIZE, (request + 1) * MAX_BATCH_SIZE)
        texts = [text + " " * count for count in spaces]
        pairs = None if pair is None else [pair] * len(texts)
        for answers in client.predict_batch(texts, pairs, missing, all_scores=True):
            for task, answer in answers.items():
                if answer.version is not None:
                    found[task].setdefault(answer.version, answer)
    return found
