from types import SimpleNamespace

import pytest
from router.registry import Branch, Registry
from router.sequences import SequencePlanner
from text_tokenizer import is_truncated

SHORT, LONG = 8, 16


def _registry():
    """intent and slots read one text of up to 16 tokens, brief one of up to 8; same and alike read two."""
    branches = [
        Branch("intent", 1, "classification", ("a", "b"), 2, LONG),
        Branch("slots", 1, "tagging", ("O", "B-x", "I-x"), 3, LONG),
        Branch("brief", 1, "multi_label", ("a", "b"), 2, SHORT),
        Branch("same", 1, "pair_classification", ("0", "1"), 2, LONG),
        Branch("alike", 1, "pair_regression", (), 2, LONG),
    ]
    return Registry({branch.task: branch for branch in branches})


def _row(text, *tasks, pair=None):
    return SimpleNamespace(text=text, pair=pair, tasks=tasks, all_scores=False)


@pytest.fixture
def plan(tokenizer_file):
    planner = SequencePlanner(tokenizer_file)
    return lambda *rows: planner.plan(rows, _registry())


def _lengths(plan):
    return [len(encoding.ids) for encoding in plan.encodings]


def test_single_text_tasks_of_a_row_share_one_sequence(plan):
    result = plan(_row("ab cd", "intent", "slots", "brief"))

    assert [encoding.tokens for encoding in result.encodings] == [["[CLS]", "a", "##b", "c", "##d", "[SEP]"]]
    assert result.places == {"intent": {0: 0}, "slots": {0: 0}, "brief": {0: 0}}
    assert result.errors == {}


def test_a_single_text_task_does_not_see_the_pair_and_pair_tasks_share_theirs(plan):
    result = plan(_row("ab", "intent", "same", "alike", "slots", pair="cd"))

    single, pair = (result.places[task][0] for task in ("intent", "same"))
    assert result.places == {"intent": {0: single}, "slots": {0: single}, "same": {0: pair}, "alike": {0: pair}}
    assert len(result.encodings) == 2
    assert result.encodings[single].tokens == ["[CLS]", "a", "##b", "[SEP]"]
    assert result.encodings[pair].tokens == ["[CLS]", "a", "##b", "[SEP]", "c", "##d", "[SEP]"]
    assert result.encodings[pair].type_ids == [0, 0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("letters", [1, SHORT - 2])
def test_two_maximum_lengths_share_a_text_that_fits_the_lesser(plan, letters):
    result = plan(_row("a" * letters, "intent", "brief"))

    assert _lengths(result) == [letters + 2]
    assert not is_truncated(result.encodings[0])
    assert result.places == {"intent": {0: 0}, "brief": {0: 0}}


@pytest.mark.parametrize("letters", [SHORT - 1, LONG - 2, LONG + 5])
def test_a_text_longer_than_the_lesser_maximum_is_read_at_each_tasks_own_length(plan, letters):
    result = plan(_row("a" * letters, "intent", "slots", "brief"))

    brief, intent = result.places["brief"][0], result.places["intent"][0]
    assert len(result.encodings) == 2
    assert result.places["slots"][0] == intent
    assert (len(result.encodings[brief].ids), is_truncated(result.encodings[brief])) == (SHORT, True)
    assert len(result.encodings[intent].ids) == min(letters + 2, LONG)
    assert is_truncated(result.encodings[intent]) == (letters + 2 > LONG)


def test_a_pair_task_without_a_pair_is_an_error_of_its_own(plan):
    result = plan(_row("ab", "same", "intent"), _row("cd", "same", pair="ef"))

    assert list(result.errors) == ["same"]
    assert list(result.errors["same"]) == [0]
    assert "same" in result.errors["same"][0]
    assert "pair" in result.errors["same"][0]
    assert list(result.places["intent"]) == [0]
    assert list(result.places["same"]) == [1]


def test_where_no_task_can_be_asked_there_is_nothing_to_read(plan):
    result = plan(_row("ab", "same"))

    assert (result.encodings, result.places) == ([], {})
    assert list(result.errors["same"]) == [0]


def test_every_row_is_read_as_its_own_text_and_for_its_own_tasks_only(plan):
    result = plan(_row("ab", "intent"), _row("cd", "slots", "intent"), _row("ef", "brief"))

    assert {task: sorted(rows) for task, rows in result.places.items()} == {
        "intent": [0, 1],
        "slots": [1],
        "brief": [2],
    }
    for task, row, letter in [("intent", 0, "a"), ("intent", 1, "c"), ("slots", 1, "c"), ("brief", 2, "e")]:
        assert result.encodings[result.places[task][row]].tokens[1] == letter


def test_equal_texts_of_several_rows_are_read_once(plan):
    result = plan(_row("ab", "intent"), _row("ab", "brief"), _row("ab", "same", pair="cd"), _row("ab", "intent"))

    assert len(result.encodings) == 2
    assert result.places["intent"] == {0: 0, 3: 0}
    assert result.places["brief"] == {1: 0}


def test_a_pair_turned_round_is_another_sequence(plan):
    result = plan(_row("ab", "same", pair="cd"), _row("cd", "same", pair="ab"))

    first, second = (result.encodings[result.places["same"][row]].tokens[1] for row in (0, 1))
    assert (first, second) == ("a", "c")


def test_a_group_s_places_count_within_the_group_and_leave_out_tasks_that_it_does_not_hold(plan):
    result = plan(_row("ab", "intent", "slots"), _row("abcd", "intent"), _row("ab", "brief"))
    first, second = result.places["intent"][0], result.places["intent"][1]

    assert result.places_in([second]) == {"intent": {1: 0}}
    assert result.places_in([second, first]) == {"intent": {0: 1, 1: 0}, "slots": {0: 1}, "brief": {2: 1}}
