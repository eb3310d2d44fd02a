"""Problems that last are said once, not in each round."""

from collections.abc import Callable


class SaidOnce:
    """What is wrong, by what it is about."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._wrong: dict[str, str] = {}

    def wrong(self, about: str, sentence: str) -> None:
        """Says it unless it was the last that was said about this."""
        if self._wrong.get(about) != sentence:
            self._report(sentence)
        self._wrong[about] = sentence

    def right(self, about: str, sentence: str = "") -> None:
        """Nothing is wrong with it any more: says the sentence if something was."""
        if self._wrong.pop(about, "") and sentence:
            self._report(sentence)
