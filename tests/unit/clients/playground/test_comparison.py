import zlib
from collections.abc import Sequence

from clients.answer import Answer
from clients.playground.comparison import both_versions
from clients.served_tasks import ServedCanary, ServedTask


class _Server:
    """Chooses the version by the text, as the router does."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.asked: list[list[str]] = []

    def predict_batch(
        self, texts: Sequence[str], _pairs: object, tasks: Sequence[str], all_scores: bool
    ) -> list[dict[str, Answer]]:
        assert all_scores
        self.asked.append(list(tasks))
        return [{task: Answer(label="x", version=1 + self._is_canarys(task, text)) for task in tasks} for text in texts]

    def _is_canarys(self, task: str, text: str) -> bool:
        return zlib.crc32(f"{task}\0{text}".encode()) < self.share * 2**32


def _tasks(**canaries: bool) -> dict[str, ServedTask]:
    return {
        task: ServedTask(kind="classification", live=1, canary=ServedCanary(version=2, share=0.1) if has else None)
        for task, has in canaries.items()
    }


def test_both_versions_answer_and_only_tasks_with_a_canary_are_asked() -> None:
    server = _Server(share=0.1)

    found = both_versions(server, "wake me", None, _tasks(intent=True, domain=False, mood=True))

    assert {task: set(answers) for task, answers in found.items()} == {"intent": {1, 2}, "mood": {1, 2}}
    assert server.asked[0] == ["intent", "mood"]


def test_a_canary_that_never_answers_ends_the_search() -> None:
    server = _Server(share=0.0)

    assert set(both_versions(server, "wake me", None, _tasks(intent=True))["intent"]) == {1}
    assert len(server.asked) == 4


def test_without_a_canary_nothing_is_asked() -> None:
    server = _Server(share=0.5)

    assert both_versions(server, "wake me", None, _tasks(intent=False)) == {}
    assert server.asked == []
