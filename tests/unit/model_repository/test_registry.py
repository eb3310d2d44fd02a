import pytest
from router.registry_format import KINDS, NotARegistryError, parse

from training.kinds import Kind


def _content(live=1, canary=None, shadow=None):
    shared = {"model": "branch_intent", "trunk": "trunk"}
    versions = {
        "1": {"kind": "classification", "labels": ["a", "b"], "tap": 2, "max_length": 32, **shared},
        "2": {"kind": "pair_classification", "labels": ["a", "c"], "tap": 3, "max_length": 64, **shared},
    }
    task = {"live": live, "canary": canary, "shadow": shadow, "versions": versions}
    return {
        "trunks": {"trunk": {"tokenizers": {"tokenizer": 64, "tokenizer_32": 32}}},
        "tasks": {"intent": task},
        "retired": {},
    }


CANARY = {"version": 2, "share": 0.25, "max_error_rate": 0.1, "max_milliseconds": 50, "minimum": 10}
TEXTS = [f"text {number}" for number in range(2000)]


def test_the_live_version_decides_kind_labels_tap_and_length():
    first = parse(_content(live=1)).tasks["intent"].live
    second = parse(_content(live=2)).tasks["intent"].live

    assert (first.number, first.kind, first.labels, first.tap, first.max_length) == (
        1,
        "classification",
        ("a", "b"),
        2,
        32,
    )
    assert (second.number, second.kind, second.labels, second.tap, second.max_length) == (
        2,
        "pair_classification",
        ("a", "c"),
        3,
        64,
    )
    assert (first.is_pair, second.is_pair) == (False, True)
    assert second.model == "branch_intent"


def test_a_canary_answers_for_its_share_of_the_texts_and_always_for_the_same_ones():
    registry = parse(_content(canary=CANARY))

    versions = [registry.version_for("intent", text, None).number for text in TEXTS]

    assert 0.22 < versions.count(2) / len(TEXTS) < 0.28
    assert versions == [parse(_content(canary=CANARY)).version_for("intent", text, None).number for text in TEXTS]


def test_a_canary_that_reads_one_text_answers_for_it_whatever_pair_comes_with_it():
    content = _content(canary=CANARY | {"version": 1})
    content["tasks"]["intent"]["live"] = 2
    registry = parse(content)

    for text in TEXTS[:100]:
        versions = {registry.version_for("intent", text, pair).number for pair in (None, "x", "y")}
        assert len(versions) == 1


def test_more_texts_come_to_a_canary_as_its_share_grows_and_none_goes_back():
    few, many = (parse(_content(canary=CANARY | {"share": share})) for share in (0.1, 0.6))

    with_few = {text for text in TEXTS if few.version_for("intent", text, None).number == 2}
    with_many = {text for text in TEXTS if many.version_for("intent", text, None).number == 2}
    assert with_few < with_many
    everything = parse(_content(canary=CANARY | {"share": 1}))
    assert all(everything.version_for("intent", text, None).number == 2 for text in TEXTS)


def test_a_shadow_never_answers():
    task = parse(_content(shadow=2)).tasks["intent"]

    assert task.shadow.number == 2
    assert all(task.version_for(text, None) is task.live for text in TEXTS[:100])


def test_kinds_are_those_of_the_project():
    assert set(KINDS) == {kind.value for kind in Kind}


@pytest.mark.parametrize("form", [2, 3])
def test_both_formats_are_read_with_the_generation_if_there_is_one(form):
    content = _content() | {"format_version": form}
    assert parse(content).generation is None
    assert parse(content | {"generation": 17}).generation == 17


@pytest.mark.parametrize("form", [1, 4, "3", None, True, 2.0])
def test_another_format_is_refused(form):
    with pytest.raises(NotARegistryError, match="format_version"):
        parse(_content() | {"format_version": form})


FUSED = {"model": "fused", "version": 4, "taps": [3, 2], "tasks": {"intent": 1, "gone": 7}, "since": "2026-01-01"}


def test_a_version_runs_in_the_fused_graph_of_its_trunk_only_if_that_holds_this_version():
    content = _content(live=1, canary=CANARY)
    content["trunks"]["trunk"]["fused"] = FUSED
    registry = parse(content)
    live, canary = registry.tasks["intent"].versions

    assert registry.runs_in(live) == ("fused", 4)
    assert registry.runs_in(canary) == ("branch_intent", 2)
    assert registry.fused["trunk"].taps == (2, 3)
    assert list(registry.fused["trunk"].tasks) == ["gone", "intent"], "the columns of the graph, also of retired tasks"


@pytest.mark.parametrize("fused", [None, {}])
def test_a_trunk_without_a_fused_graph_has_none(fused):
    content = _content()
    content["trunks"]["trunk"] |= {"fused": fused} if fused is None else {}

    assert parse(content).fused == {}


@pytest.mark.parametrize(
    ("field", "value"),
    [("model", "../evil"), ("version", 0), ("taps", []), ("taps", [-1]), ("tasks", []), ("tasks", {"intent": "1"})],
)
def test_a_fused_graph_that_cannot_be_asked_is_refused_and_named(field, value):
    content = _content()
    content["trunks"]["trunk"]["fused"] = FUSED | {field: value}

    with pytest.raises(NotARegistryError, match="the fused graph of trunk"):
        parse(content)


def test_a_registry_without_a_task_is_refused():
    with pytest.raises(NotARegistryError, match="no task"):
        parse(_content() | {"tasks": {}})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "poetry"),
        ("labels", "ab"),
        ("labels", [1, 2]),
        ("tap", -1),
        ("tap", True),
        ("tap", 1.5),
        pytest.param("tap", 10**5000, id="tap of 5001 digits"),
        ("max_length", 31),
        ("max_length", 0),
        ("model", "../evil"),
        ("model", ""),
        ("model", ["branch_intent"]),
        ("trunk", "trunk.9"),
        ("trunk", {}),
    ],
)
def test_a_live_version_with_a_field_that_cannot_be_served_is_refused_and_named(field, value):
    content = _content()
    content["tasks"]["intent"]["versions"]["1"][field] = value

    with pytest.raises(NotARegistryError, match="version 1 of 'intent'"):
        parse(content)


@pytest.mark.parametrize(
    "canary",
    [{"share": 1.5}, {"share": float("nan")}, {"minimum": 0}, {"version": 1}, {"version": 9}, {"share": "all"}],
)
def test_a_canary_that_makes_no_sense_is_refused(canary):
    with pytest.raises(NotARegistryError, match="intent"):
        parse(_content(canary=CANARY | canary))
