import json
import random
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import pytest
from router.registry import Canary, Registry, Task, Version
from router.result_cache import ResultCache
from router.row import Row

CALLER = SimpleNamespace(is_gone=False)
INTENT = Version("intent", 1, "classification", ("a", "b"), 2, 16, "branch_intent", "trunk")
SLOTS = Version("slots", 1, "tagging", ("O", "B-x"), 2, 16, "branch_slots", "trunk")
SAME = Version("same", 1, "pair_classification", ("0", "1"), 2, 16, "branch_same", "trunk")
MEBIBYTE = 2**20


def _registry(*versions):
    return Registry({version.task: Task(version) for version in versions or (INTENT, SLOTS, SAME)})


def _row(text="play jazz", *tasks, pair=None, all_scores=False):
    return Row(text, pair, tasks or ("intent",), all_scores, CALLER)


def _known(cache, row, *versions):
    """{task: answer} that the cache knows of a row, and the tasks that are left to compute."""
    (remaining,), known = cache.look_up([row], _registry(*versions))
    return {task: by_row[0] for task, by_row in known.items()}, remaining.tasks


@pytest.fixture
def cache():
    return ResultCache(MEBIBYTE)


def test_an_answer_that_was_kept_is_found_and_its_task_alone_is_not_computed_again(cache):
    cache.keep(_row(), INTENT, "kept")

    assert _known(cache, _row("play jazz", "intent", "slots")) == ({"intent": "kept"}, ("slots",))
    assert (cache.hits, cache.misses) == (1, 1)


@pytest.mark.parametrize(
    "other", [_row("play jazz "), _row("Play jazz"), _row("play jazz", all_scores=True), _row("play jazz", "slots")]
)
def test_another_text_task_or_choice_of_scores_is_no_hit(cache, other):
    cache.keep(_row(), INTENT, "kept")

    assert _known(cache, other) == ({}, other.tasks)
    assert (cache.hits, cache.misses) == (0, 1)


def test_a_pair_task_is_known_per_pair_and_a_single_text_task_whatever_the_pair(cache):
    row = _row("play jazz", "intent", "same", pair="play rock")
    cache.keep(row, INTENT, "intent")
    cache.keep(row, SAME, "same")

    assert _known(cache, row) == ({"intent": "intent", "same": "same"}, ())
    assert _known(cache, replace(row, pair="play pop")) == ({"intent": "intent"}, ("same",))
    assert _known(cache, replace(row, pair=None)) == ({"intent": "intent"}, ("same",))


def test_a_new_version_of_one_task_is_computed_and_the_others_stay_known(cache):
    cache.keep(_row(), INTENT, "first intent")
    cache.keep(_row(), SLOTS, "slots")
    newer = replace(INTENT, number=2)

    assert _known(cache, _row("play jazz", "intent", "slots"), newer, SLOTS) == ({"slots": "slots"}, ("intent",))

    cache.keep(_row(), newer, "second intent")
    assert _known(cache, _row(), newer)[0] == {"intent": "second intent"}
    assert _known(cache, _row(), INTENT)[0] == {"intent": "first intent"}, "a rollback finds its answers again"


def test_a_canary_s_answers_are_found_for_its_own_texts_alone_and_not_once_it_is_gone(cache):
    canary = Canary(replace(INTENT, number=2), share=0.5, max_error_rate=0.1, max_milliseconds=50, minimum=10)
    candidate = Registry({"intent": Task(INTENT, canary=canary)})
    rows = [_row(f"text {number}") for number in range(20)]
    for row in rows:
        version = candidate.version_for("intent", row.text, None)
        cache.keep(row, version, f"of version {version.number}")
    canaries = [number for number, row in enumerate(rows) if canary.answers_for(row.text, None)]
    assert 0 < len(canaries) < 20

    _, known = cache.look_up(rows, candidate)
    assert [number for number in range(20) if known["intent"][number] == "of version 2"] == canaries

    remaining, known = cache.look_up(rows, _registry())
    assert set(known["intent"].values()) == {"of version 1"}
    assert [number for number, row in enumerate(remaining) if row.tasks] == canaries


def test_a_shadow_s_answers_are_not_found_until_it_is_live(cache):
    shadow = replace(INTENT, number=2)
    cache.keep(_row(), shadow, "of the shadow")

    (remaining,), known = cache.look_up([_row()], Registry({"intent": Task(INTENT, shadow=shadow)}))

    assert (remaining.tasks, known) == (("intent",), {})
    assert _known(cache, _row(), shadow)[0] == {"intent": "of the shadow"}


def test_each_row_of_a_batch_is_looked_up_by_itself(cache):
    cache.keep(_row("b"), INTENT, "of b")

    remaining, known = cache.look_up([_row("a"), _row("b", "intent", "slots")], _registry())

    assert [row.tasks for row in remaining] == [("intent",), ("slots",)]
    assert known == {"intent": {1: "of b"}}


def _entries(cache, count):
    """How many of the texts 0 .. count - 1 are known."""
    remaining, _ = cache.look_up([_row(str(number)) for number in range(count)], _registry())
    return [number for number, row in enumerate(remaining) if not row.tasks]


def test_what_was_used_longest_ago_goes_first():
    cache = ResultCache(2000)
    for number in range(4):
        cache.keep(_row(str(number)), INTENT, "x" * 10)
    assert _entries(cache, 4) == [0, 1, 2, 3]
    cache.look_up([_row("0")], _registry())

    cache.keep(_row("4"), INTENT, "x" * 10)

    assert _entries(cache, 5) == [0, 2, 3, 4]


def test_the_limit_bounds_the_memory_that_python_takes():
    rng = random.Random(5)
    words = ["play", "größe", "東京", "\U0001f600", "alarm", "jazz"]
    registry = _registry()
    tracemalloc.start()
    try:
        cache = ResultCache(MEBIBYTE)
        before = tracemalloc.get_traced_memory()[0]
        for number in range(4000):
            text = f"{number} " + " ".join(rng.choices(words, k=rng.randint(1, 12)))
            cache.keep(_row(text), INTENT, json.dumps({"label": text[-9:], "score": number}, ensure_ascii=False))
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()

    assert taken <= MEBIBYTE
    assert taken > MEBIBYTE / 4, "and it is used"
    assert cache.look_up([_row("0 play")], registry)[1] == {}


def test_an_answer_greater_than_the_limit_drives_nothing_out():
    cache = ResultCache(1000)
    cache.keep(_row("small"), INTENT, "kept")

    cache.keep(_row("great"), INTENT, "x" * 1000)

    assert _known(cache, _row("small"))[0] == {"intent": "kept"}
    assert _known(cache, _row("great"))[0] == {}


def test_without_a_limit_nothing_is_kept_and_nothing_counted():
    cache = ResultCache(0)
    cache.keep(_row(), INTENT, "kept")
    row = _row("play jazz", "intent", "slots")

    assert cache.look_up([row], _registry()) == ([row], {})
    assert (cache.hits, cache.misses) == (0, 0)


@pytest.mark.usefixtures("often_interrupted")
def test_batches_at_the_same_time_neither_fail_nor_lose_count():
    cache = ResultCache(5000)
    registry = _registry()

    def batch(seed):
        rng = random.Random(seed)
        for _ in range(1500):
            row = _row(str(rng.randint(0, 12)))
            cache.look_up([row], registry)
            cache.keep(row, INTENT, "x")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(batch, range(4)))

    assert cache.hits + cache.misses == 4 * 1500
    for number in range(100, 200):
        cache.keep(_row(str(number)), INTENT, "x")
    assert _entries(cache, 13) == []
