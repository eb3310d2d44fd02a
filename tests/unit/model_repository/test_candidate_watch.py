import json
import shutil
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from model_folders import add_model_folders, no_metrics
from router import candidate_watch
from router.candidates import Candidates
from router.registry_file import RegistryFile
from router.row import Row

PATIENCE = 10.0  # seconds that no test ever waits, unless something hangs
CALLER = SimpleNamespace(is_gone=False, id="")
CANARY = {"version": 2, "share": 0.5, "max_error_rate": 0.1, "max_milliseconds": 1000, "minimum": 4}


def _content(canary=None, shadow=None, kind="classification"):
    """A task with two versions, and a task without a candidate. kind: of intent's version 2."""
    version = {"kind": "classification", "labels": ["a", "b"], "tap": 2, "max_length": 16, "trunk": "trunk"}
    intent = {"1": version | {"model": "branch_intent"}, "2": version | {"model": "branch_intent", "kind": kind}}
    slots = {"1": version | {"model": "branch_slots"}}
    return {
        "trunks": {"trunk": {"tokenizers": {"tokenizer": 16}}},
        "retired": {},
        "tasks": {
            "intent": {"live": 1, "canary": canary, "shadow": shadow, "versions": intent},
            "slots": {"live": 1, "canary": None, "shadow": None, "versions": slots},
        },
    }


def _write(repository, content):
    add_model_folders(repository, content)
    (repository / "staged").write_text(json.dumps(content))
    (repository / "staged").replace(repository / "registry.json")


def _canary_in_file(repository):
    return json.loads((repository / "registry.json").read_text())["tasks"]["intent"]["canary"]


@pytest.fixture
def repository(tmp_path, tokenizer_file):
    shutil.copytree(tokenizer_file.parents[1], tmp_path / "tokenizer")
    return tmp_path


@pytest.fixture
def wait_for_withdrawals():
    """A function that returns once the threads that the test has started are done."""
    before = set(threading.enumerate())

    def wait():
        for thread in set(threading.enumerate()) - before:
            if thread.name == "withdrawal":
                thread.join(PATIENCE)
                assert not thread.is_alive()

    return wait


class Watched:
    """A CandidateWatch with its registry; `take` hands it one batch."""

    def __init__(self, repository):
        self.counted, self.dropped, self.compared = [], [], []
        self.registry = RegistryFile(repository, no_metrics(), lambda *_: True)
        metrics = SimpleNamespace(
            count_candidate=lambda version, outcome: self.counted.append((version.number, outcome)),
            set_dropped=lambda version: self.dropped.append(version.number),
            count_compared=lambda version, like, labels: self.compared.append((version.number, like.number, *labels)),
        )
        self._watch = candidate_watch.CandidateWatch(repository, self.registry, metrics)

    def take(self, *calls, rows=(), registry=None):
        """calls: (task and version number, labels by row, errors). registry: the present one unless given."""
        registry = registry or self.registry.read()
        candidates = Candidates(registry)
        for (name, number), labels, errors in calls:
            task = registry.tasks[name]
            known = [task.live, task.shadow, task.canary and task.canary.version]
            version = next(version for version in known if version is not None and version.number == number)
            answers = {row: {"label": label, "score": 0.9} for row, label in labels.items()}
            candidates.add(version, answers, errors, seconds=0.001)
        self._watch.take(candidates, rows, registry)

    @property
    def canary(self):
        return self.registry.read().tasks["intent"].canary


@pytest.fixture
def watched(repository):
    def watched(**candidate):
        _write(repository, _content(**candidate))
        return Watched(repository)

    return watched


def _row(text, *tasks, pair=None):
    return Row(text, pair, tasks or ("intent",), False, CALLER)


def test_a_batch_without_candidates_counts_nothing_and_writes_nothing(watched, repository):
    watch = watched()
    before = sorted(repository.iterdir())

    watch.take((("intent", 1), {0: "a"}, 3), rows=[_row("one")])

    assert watch.counted == []
    assert sorted(repository.iterdir()) == before


def test_a_canary_within_bounds_is_counted_and_stays(watched, repository, wait_for_withdrawals):
    watch = watched(canary=CANARY)

    watch.take((("intent", 2), dict.fromkeys(range(20), "a"), 1), rows=[_row(f"text {row}") for row in range(21)])
    wait_for_withdrawals()

    ((version, outcome),) = watch.counted
    assert (version, outcome.answers, outcome.errors) == (2, 20, 1)
    assert watch.canary is not None
    assert _canary_in_file(repository) == CANARY


def test_each_text_of_a_canary_and_of_its_live_version_is_counted_once_for_who_judges_by_all_routers(watched):
    watch = watched(canary=CANARY)
    rows = [_row("one"), _row("two"), _row("one")]

    for _ in range(2):
        watch.take((("intent", 1), {0: "a", 2: "a"}, 0), (("intent", 2), {1: "b"}, 0), rows=rows)

    assert sorted(watch.compared) == [(1, 2, "a"), (2, 2, "b")]


def test_a_canary_out_of_bounds_gets_no_more_texts_at_once_and_is_taken_out_of_the_file(
    watched, repository, wait_for_withdrawals, caplog
):
    watch = watched(canary=CANARY)

    watch.take((("intent", 2), {0: "a"}, 3), rows=[_row(f"text {row}") for row in range(4)])

    assert watch.canary is None
    wait_for_withdrawals()
    assert _canary_in_file(repository) is None
    (line,) = (repository / "audit.jsonl").read_text().splitlines()
    assert "75.0%" in json.loads(line)["reason"]
    assert "canary 2 of intent" in caplog.text
    assert "75.0%" in caplog.text


def test_a_router_of_a_replica_drops_a_canary_and_tells_it_but_writes_nothing(
    watched, repository, wait_for_withdrawals
):
    (repository / "replica_of").write_text("/shared")
    watch = watched(canary=CANARY)

    watch.take((("intent", 2), {}, 4))
    wait_for_withdrawals()

    assert watch.canary is None
    assert watch.dropped == [2]
    assert _canary_in_file(repository) == CANARY
    assert not (repository / "audit.jsonl").exists()


def test_while_somebody_else_holds_the_repository_callers_do_not_wait_and_the_canary_is_dropped_all_the_same(
    watched, repository, wait_for_withdrawals, monkeypatch
):
    released = threading.Event()
    withdraw = candidate_watch.withdraw

    def withdraw_later(*arguments):
        assert released.wait(PATIENCE)
        withdraw(*arguments)

    monkeypatch.setattr(candidate_watch, "withdraw", withdraw_later)
    watch = watched(canary=CANARY)

    watch.take((("intent", 2), {}, 4))  # returns
    _write(repository, _content(canary=CANARY | {"share": 0.9}))  # as another team's publish would leave it

    assert watch.canary is None
    released.set()
    wait_for_withdrawals()
    assert _canary_in_file(repository) is None


@pytest.mark.parametrize("damage", ["repository.lock", "registry.json"])
def test_a_repository_that_cannot_be_changed_is_a_warning_and_the_canary_is_dropped_all_the_same(
    watched, repository, wait_for_withdrawals, caplog, damage
):
    watch = watched(canary=CANARY)
    (repository / damage).unlink(missing_ok=True)
    (repository / damage).mkdir()

    watch.take((("intent", 2), {}, 4))
    wait_for_withdrawals()

    assert watch.canary is None
    assert {record.levelname for record in caplog.records if record.name != "router.registry_file"} == {"WARNING"}
    assert "each router judges it by itself" in caplog.text


def test_a_canary_is_withdrawn_once_whatever_else_it_did(watched, wait_for_withdrawals, monkeypatch):
    withdrawn = []
    monkeypatch.setattr(candidate_watch, "withdraw", lambda *arguments: withdrawn.append(arguments))
    watch = watched(canary=CANARY)
    registry = watch.registry.read()

    for _ in range(3):
        watch.take((("intent", 2), {}, 4), registry=registry)
        wait_for_withdrawals()

    assert [canary for _, canary, _ in withdrawn] == [registry.tasks["intent"].canary]


def test_examples_of_where_a_shadow_differs_are_those_of_the_right_rows(watched, repository):
    watch = watched(shadow=2)
    rows = [_row("one"), _row("two", pair="pair"), _row("three")]

    watch.take((("intent", 1), {0: "a", 1: "a", 2: "a"}, 0), (("intent", 2), {0: "a", 1: "b", 2: "b"}, 0), rows=rows)

    lines = (repository / "shadow_intent.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    assert [(entry["version"], entry["text"], entry["pair"]) for entry in entries] == [
        (2, "two", "pair"),
        (2, "three", None),
    ]
    assert {(entry["live"]["label"], entry["shadow"]["label"]) for entry in entries} == {("a", "b")}
    ((_, outcome),) = watch.counted
    assert (outcome.compared, len(outcome.differing)) == (3, 2)


def test_a_shadow_that_fails_is_not_withdrawn(watched, repository, wait_for_withdrawals):
    watch = watched(shadow=2)

    watch.take((("intent", 2), {}, 1000))
    wait_for_withdrawals()

    assert watch.registry.read().tasks["intent"].shadow is not None
    assert not (repository / "audit.jsonl").exists()


class Served:
    """A router on models whose version 1 answers a, and version 2 answers b or fails."""

    def __init__(self, router):
        self._router = router
        self.broken = False
        self.asked = []  # versions of intent

    def infer(self, model, version, inputs, outputs):
        if model == "trunk":
            return {name: np.zeros((*inputs["input_ids"].shape, 2), np.float32) for name in outputs}
        if model == "branch_intent":
            self.asked.append(version)
        if version == 2 and self.broken:
            raise RuntimeError("it is broken")
        logits = np.zeros((len(inputs["hidden"]), 2), np.float32)
        logits[:, version - 1] = 3
        return {"logits": logits}

    def count(self, name):
        """What the router has counted of intent's version 2, or None."""
        self._router._metrics.flush()
        labels = {"model": "nlu", "task": "intent", "version": "2"}
        return self._router._metrics.registry.get_sample_value(name, labels)

    def answers(self, *rows):
        """{task: {row: answer}}."""
        found = {}
        for task, by_row in self._router.answer(rows, self._router.registry()):
            found.setdefault(task, {}).update({row: json.loads(answer) for row, answer in by_row.items()})
        return found


@pytest.fixture
def served(router_module, climb_module, trunk_module, repository, monkeypatch):
    monkeypatch.setenv("ESPALIER_RESULT_CACHE_BYTES", str(2**20))

    def served(**candidate):
        _write(repository, _content(**candidate))
        served = Served(router_module.Router(repository, "nlu"))
        monkeypatch.setattr(climb_module, "infer", served.infer)
        monkeypatch.setattr(trunk_module, "infer", served.infer)
        return served

    return served


def test_a_router_s_texts_go_back_to_the_live_version_once_the_canary_fails(served, repository, wait_for_withdrawals):
    router = served(canary=CANARY)
    router.broken = True
    rows = [_row(f"text {number}", "intent", "slots") for number in range(32)]

    first = router.answers(*rows)
    wait_for_withdrawals()
    second = router.answers(*rows)

    failed = [row for row, answer in first["intent"].items() if "error" in answer]
    assert 4 <= len(failed) <= 28
    assert all(answer["version"] == 1 for answer in first["slots"].values())
    assert {answer["version"] for answer in second["intent"].values()} == {1}
    assert _canary_in_file(repository) is None
    assert router.count("espalier_candidate_errors_total") == len(failed)


def test_a_canary_that_cannot_be_asked_what_callers_ask_is_withdrawn(served, wait_for_withdrawals):
    """The new version reads two texts. Requests without a pair get an error, which the old version did not give."""
    router = served(canary=CANARY, kind="pair_classification")
    router.answers(*(_row(f"text {number}") for number in range(32)))
    wait_for_withdrawals()

    found = router.answers(*(_row(f"text {number}") for number in range(32)))

    assert {answer.get("version") for answer in found["intent"].values()} == {1}


def test_a_text_that_was_answered_before_is_not_compared_again(served):
    router = served(shadow=2)

    for _ in range(3):
        found = router.answers(_row("one"), _row("two"))
        assert {answer["label"] for answer in found["intent"].values()} == {"a"}

    assert sorted(router.asked) == [1, 2]
    assert router.count("espalier_shadow_compared_total") == 2
    assert router.count("espalier_shadow_differing_total") == 2


def test_without_candidates_a_router_makes_no_counters_of_them(served):
    router = served()
    router.answers(_row("one", "intent", "slots"))

    assert router.count("espalier_candidate_answers_total") is None
    assert router.count("espalier_shadow_compared_total") is None
