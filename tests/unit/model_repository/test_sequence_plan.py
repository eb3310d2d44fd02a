import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest
from router.registry import Canary, Registry, Task, Version
from router.sequence_plan import SequencePlanner
from text_tokenizer import is_truncated
from tokenizers import Tokenizer, processors

SHORT, LONG = 8, 16


def _registry():
    """intent and slots read one text of up to 16 tokens, brief one of up to 8; same and alike read two."""
    versions = [
        Version("intent", 1, "classification", ("a", "b"), 2, LONG, "branch_intent", "trunk"),
        Version("slots", 1, "tagging", ("O", "B-x", "I-x"), 3, LONG, "branch_slots", "trunk"),
        Version("brief", 1, "multi_label", ("a", "b"), 2, SHORT, "branch_brief", "trunk"),
        Version("same", 1, "pair_classification", ("0", "1"), 2, LONG, "branch_same", "trunk"),
        Version("alike", 1, "pair_regression", (), 2, LONG, "branch_alike", "trunk"),
    ]
    return Registry({version.task: Task(version) for version in versions})


def _row(text, *tasks, pair=None):
    return SimpleNamespace(text=text, pair=pair, tasks=tasks, all_scores=False)


@pytest.fixture
def plan(repository):
    planner = SequencePlanner(repository)
    return lambda *rows: planner.plan(rows, _registry())


def _by_task(by_version):
    return {version.task: by_row for version, by_row in by_version.items()}


def _lengths(plan):
    return [len(encoding.ids) for encoding in plan.encodings]


def test_single_text_tasks_of_a_row_share_one_sequence(plan):
    result = plan(_row("ab cd", "intent", "slots", "brief"))

    assert [encoding.tokens for encoding in result.encodings] == [["[CLS]", "a", "##b", "c", "##d", "[SEP]"]]
    assert _by_task(result.sequences) == {"intent": {0: 0}, "slots": {0: 0}, "brief": {0: 0}}
    assert result.errors == {}


def test_a_single_text_task_does_not_see_the_pair_and_pair_tasks_share_theirs(plan):
    result = plan(_row("ab", "intent", "same", "alike", "slots", pair="cd"))

    single, pair = (_by_task(result.sequences)[task][0] for task in ("intent", "same"))
    assert _by_task(result.sequences) == {
        "intent": {0: single},
        "slots": {0: single},
        "same": {0: pair},
        "alike": {0: pair},
    }
    assert len(result.encodings) == 2
    assert result.encodings[single].tokens == ["[CLS]", "a", "##b", "[SEP]"]
    assert result.encodings[pair].tokens == ["[CLS]", "a", "##b", "[SEP]", "c", "##d", "[SEP]"]
    assert result.encodings[pair].type_ids == [0, 0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("letters", [1, SHORT - 2])
def test_two_maximum_lengths_share_a_text_that_fits_the_lesser(plan, letters):
    result = plan(_row("a" * letters, "intent", "brief"))

    assert _lengths(result) == [letters + 2]
    assert not is_truncated(result.encodings[0])
    assert _by_task(result.sequences) == {"intent": {0: 0}, "brief": {0: 0}}


@pytest.mark.parametrize("letters", [SHORT - 1, LONG - 2, LONG + 5])
def test_a_text_longer_than_the_lesser_maximum_is_read_at_each_tasks_own_length(plan, letters):
    result = plan(_row("a" * letters, "intent", "slots", "brief"))

    brief, intent = _by_task(result.sequences)["brief"][0], _by_task(result.sequences)["intent"][0]
    assert len(result.encodings) == 2
    assert _by_task(result.sequences)["slots"][0] == intent
    assert (len(result.encodings[brief].ids), is_truncated(result.encodings[brief])) == (SHORT, True)
    assert len(result.encodings[intent].ids) == min(letters + 2, LONG)
    assert is_truncated(result.encodings[intent]) == (letters + 2 > LONG)


def test_a_pair_task_without_a_pair_is_an_error_of_its_own(plan):
    result = plan(_row("ab", "same", "intent"), _row("cd", "same", pair="ef"))

    (errors,) = _by_task(result.errors).items()
    assert errors == ("same", {0: "the task same compares two texts: give a pair."})
    assert list(_by_task(result.sequences)["intent"]) == [0]
    assert list(_by_task(result.sequences)["same"]) == [1]


def test_where_no_task_can_be_asked_there_is_nothing_to_read(plan):
    result = plan(_row("ab", "same"))

    assert (result.encodings, result.sequences) == ([], {})
    assert list(_by_task(result.errors)["same"]) == [0]


def test_every_row_is_read_as_its_own_text_and_for_its_own_tasks_only(plan):
    result = plan(_row("ab", "intent"), _row("cd", "slots", "intent"), _row("ef", "brief"))

    assert {task: sorted(rows) for task, rows in _by_task(result.sequences).items()} == {
        "intent": [0, 1],
        "slots": [1],
        "brief": [2],
    }
    for task, row, letter in [("intent", 0, "a"), ("intent", 1, "c"), ("slots", 1, "c"), ("brief", 2, "e")]:
        assert result.encodings[_by_task(result.sequences)[task][row]].tokens[1] == letter


def test_equal_texts_of_several_rows_are_read_once(plan):
    result = plan(_row("ab", "intent"), _row("ab", "brief"), _row("ab", "same", pair="cd"), _row("ab", "intent"))

    assert len(result.encodings) == 2
    assert _by_task(result.sequences)["intent"] == {0: 0, 3: 0}
    assert _by_task(result.sequences)["brief"] == {1: 0}


def test_a_pair_turned_round_is_another_sequence(plan):
    result = plan(_row("ab", "same", pair="cd"), _row("cd", "same", pair="ab"))

    first, second = (result.encodings[_by_task(result.sequences)["same"][row]].tokens[1] for row in (0, 1))
    assert (first, second) == ("a", "c")


def test_a_group_s_places_count_within_the_group_and_leave_out_tasks_that_it_does_not_hold(plan):
    result = plan(_row("ab", "intent", "slots"), _row("abcd", "intent"), _row("ab", "brief"))
    first, second = _by_task(result.sequences)["intent"][0], _by_task(result.sequences)["intent"][1]

    assert _by_task(result.places_in([second])) == {"intent": {1: 0}}
    assert _by_task(result.places_in([second, first])) == {"intent": {0: 1, 1: 0}, "slots": {0: 1}, "brief": {2: 1}}


INTENT = _registry().tasks["intent"].live
TOKENIZERS = {"trunk": "tokenizer", "trunk.2": "tokenizer_trunk.2_16"}


@pytest.fixture
def planner(tmp_path, tokenizer_file):
    """A planner on a repository with a second trunk, whose tokenizer does not end texts with [SEP]."""
    shutil.copytree(tokenizer_file.parents[1], tmp_path / "tokenizer")
    other = Tokenizer.from_file(str(tokenizer_file))
    other.post_processor = processors.TemplateProcessing(
        single="[CLS] $A", pair="[CLS] $A $B:1", special_tokens=[("[CLS]", other.token_to_id("[CLS]"))]
    )
    file = tmp_path / "tokenizer_trunk.2_16" / "1" / "tokenizer.json"
    file.parent.mkdir(parents=True)
    other.save(str(file))
    return SequencePlanner(tmp_path)


def _planned(planner, *rows, **tasks):
    return planner.plan(rows, Registry(tasks, TOKENIZERS))


def test_tasks_on_two_trunks_read_a_text_as_each_trunk_s_own_tokenizer_cuts_it(planner):
    intent, moved = Task(INTENT), Task(replace(INTENT, task="moved", trunk="trunk.2"))

    result = _planned(planner, _row("ab", "intent", "moved"), _row("cd", "moved"), intent=intent, moved=moved)

    read = {
        (version.task, row): (result.trunks[index], result.encodings[index].tokens)
        for version, sequences in result.sequences.items()
        for row, index in sequences.items()
    }
    assert read == {
        ("intent", 0): ("trunk", ["[CLS]", "a", "##b", "[SEP]"]),
        ("moved", 0): ("trunk.2", ["[CLS]", "a", "##b"]),
        ("moved", 1): ("trunk.2", ["[CLS]", "c", "##d"]),
    }
    assert len(result.trunks) == len(result.encodings) == 3


def test_equal_tokens_on_two_trunks_are_two_sequences(planner):
    tasks = {"intent": Task(INTENT), "moved": Task(replace(INTENT, task="moved", trunk="trunk.2"))}

    result = planner.plan([_row("ab", "intent", "moved")], Registry(tasks, dict.fromkeys(TOKENIZERS, "tokenizer")))

    assert sorted(result.trunks) == ["trunk", "trunk.2"]
    assert result.encodings[0].tokens == result.encodings[1].tokens


def _read_by(result, version):
    """(trunk, tokens) of what a version reads, by row."""
    sequences = result.sequences.get(version, {})
    return {row: (result.trunks[index], result.encodings[index].tokens) for row, index in sequences.items()}


def test_a_shadow_like_the_live_version_reads_the_same_sequence(planner):
    shadow = replace(INTENT, number=2, tap=5)

    result = _planned(planner, _row("ab", "intent"), intent=Task(INTENT, shadow=shadow))

    assert result.sequences == {INTENT: {0: 0}, shadow: {0: 0}}
    assert len(result.encodings) == 1


@pytest.mark.parametrize(
    ("difference", "trunk", "tokens"),
    [
        ({"trunk": "trunk.2"}, "trunk.2", ["[CLS]", *"abcdefghi"]),
        ({"max_length": SHORT}, "trunk", ["[CLS]", *"abcdef", "[SEP]"]),
        ({"kind": "pair_classification"}, "trunk", ["[CLS]", *"abcdefghi", "[SEP]", "z", "[SEP]"]),
    ],
)
def test_a_shadow_reads_what_it_was_trained_to_see_and_the_live_version_still_its_own(
    planner, difference, trunk, tokens
):
    shadow = replace(INTENT, number=2, **difference)

    result = _planned(planner, _row(" ".join("abcdefghi"), "intent", pair="z"), intent=Task(INTENT, shadow=shadow))

    assert _read_by(result, shadow) == {0: (trunk, tokens)}
    assert _read_by(result, INTENT) == {0: ("trunk", ["[CLS]", *"abcdefghi", "[SEP]"])}


def test_a_shadow_that_needs_a_pair_is_no_error_where_there_is_none(planner):
    shadow = replace(INTENT, number=2, kind="pair_classification")

    result = _planned(
        planner, _row("ab", "intent"), _row("cd", "intent", pair="ef"), intent=Task(INTENT, shadow=shadow)
    )

    assert result.errors == {}
    assert list(result.sequences[INTENT]) == [0, 1]
    assert list(result.sequences[shadow]) == [1]


def test_a_shadow_reads_nothing_for_rows_that_do_not_ask_for_its_task(planner):
    shadow = replace(INTENT, number=2)
    slots = Task(replace(INTENT, task="slots"))

    result = _planned(planner, _row("ab", "slots"), _row("cd"), intent=Task(INTENT, shadow=shadow), slots=slots)

    assert result.sequences == {slots.live: {0: 0}}


def test_each_text_is_read_by_the_canary_or_by_the_live_version_and_never_by_both(planner):
    canary = Canary(replace(INTENT, number=2, max_length=SHORT), 0.5, 0.1, 50, 10)
    texts = [f"{first} {second}" for first in "abcdef" for second in "abcdef"]

    result = _planned(planner, *(_row(text, "intent") for text in texts), intent=Task(INTENT, canary=canary))

    ours = [row for row, text in enumerate(texts) if canary.answers_for(text, None)]
    assert 0 < len(ours) < len(texts)
    assert list(result.sequences[canary.version]) == ours
    assert sorted([*ours, *result.sequences[INTENT]]) == list(range(len(texts)))


def test_only_the_share_of_a_canary_that_needs_a_pair_gets_an_error_for_want_of_one(planner):
    canary = Canary(replace(INTENT, number=2, kind="pair_classification"), 0.5, 0.1, 50, 10)
    texts = [f"{first} {second}" for first in "abcdef" for second in "abcdef"]

    result = _planned(planner, *(_row(text, "intent") for text in texts), intent=Task(INTENT, canary=canary))

    ours = [row for row, text in enumerate(texts) if canary.answers_for(text, None)]
    assert 0 < len(ours) < len(texts)
    assert list(_by_task(result.errors)["intent"]) == ours
    assert sorted([*ours, *result.sequences[INTENT]]) == list(range(len(texts)))
