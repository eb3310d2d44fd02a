"""Asks the server for the page, and makes the page's content of what it says."""

import time
from collections.abc import Iterator, Mapping

from clients.answer import Answer
from clients.client import Client
from clients.credentials import Credentials
from clients.playground.answer_html import card
from clients.playground.comparison import both_versions
from clients.playground.layers_html import layers
from clients.playground.markup import note
from clients.served_tasks import ServedTask, ServedVersion, served_tasks
from espalier_errors import EspalierError


class Asking:
    """Threads can share it. url, credentials: of the server that `client` asks."""

    def __init__(self, url: str, credentials: Credentials, client: Client) -> None:
        self._url = url
        self._credentials = credentials
        self._client = client

    def ask(self, text: str, pair: str, compares: bool) -> Iterator[tuple[str, str, str]]:
        """Yields (answers, layers, comparison) as HTML, again after each answer.

        pair: "" is none. compares: whether the live version and a canary are asked beside each other.
        """
        try:
            yield from self._ask(text, pair or None, compares)
        except EspalierError as error:
            yield note(str(error), is_error=True), "", ""

    def _ask(self, text: str, pair: str | None, compares: bool) -> Iterator[tuple[str, str, str]]:
        served = served_tasks(self._url, self._credentials)
        began = time.monotonic()
        cards: list[str] = []
        places: dict[str, ServedVersion] = {}
        for task, answer in self._client.stream(text, pair, all_scores=True):
            seconds = time.monotonic() - began
            cards.append(card(task, answer, text, _role(served.get(task), answer), seconds))
            if task in served and answer.version is not None and answer.version in served[task].versions:
                places[task] = served[task].versions[answer.version]
            yield "".join(cards), layers(places), ""
        if compares:
            yield "".join(cards), layers(places), self._compared(text, pair, served)

    def _compared(self, text: str, pair: str | None, served: Mapping[str, ServedTask]) -> str:
        parts = [
            note(f"{task}: version {one.shadow} runs as a shadow, whose answers the server only compares and counts.")
            for task, one in served.items()
            if one.shadow is not None
        ]
        for task, answers in both_versions(self._client, text, pair, served).items():
            sides = [card(task, answer, text, _role(served[task], answer)) for _, answer in sorted(answers.items())]
            parts.append(f'<div class="sides">{"".join(sides)}</div>')
            if len(sides) < 2:
                parts.append(note("Only one version answers: the canary's share is too small or too large."))
        return "".join(parts) or note("No task has a canary or a shadow now.")


def _role(served: ServedTask | None, answer: Answer) -> str:
    if served is None or answer.version is None:
        return ""
    if served.canary is not None and answer.version == served.canary.version:
        return f"canary ({100 * served.canary.share:.3g}% of the texts)"
    return "live" if answer.version == served.live else ""
