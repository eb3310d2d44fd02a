from router.registry import NEWEST, Fused, Version
from router.route import route

FUSED = Fused("fused", 3, {"shallow": 1, "middle": 1, "deep": 1}, (2, 4, 6))


def _version(task, tap, number=1):
    return Version(task, number, "classification", ("a", "b"), tap, 64, f"branch_{task}", "trunk")


SHALLOW, MIDDLE, DEEP = _version("shallow", 2), _version("middle", 4), _version("deep", 6)


def _calls(*versions, fused=FUSED, resumes=True, by_tap=False, shadows=()):
    """The steps in the order in which they can be taken: (model, version, start, taps, inside, outside)."""
    found = []
    steps = route(versions, fused, resumes, by_tap, lambda version: version not in shadows)
    while steps:
        step = steps.pop(0)
        names = [[version.task for version in sorted(one, key=str)] for one in (step.inside, step.outside)]
        found.append((step.model, step.number, step.start, list(step.taps), *names))
        steps += step.then
    return found


def test_a_trunk_that_goes_on_is_called_once_per_tap_the_shallow_ones_first():
    assert _calls(DEEP, SHALLOW, MIDDLE, fused=None) == [
        ("trunk", NEWEST, None, [2], [], ["shallow"]),
        ("trunk", NEWEST, 2, [4], [], ["middle"]),
        ("trunk", NEWEST, 4, [6], [], ["deep"]),
    ]


def test_a_trunk_that_does_not_is_called_once_for_all_taps():
    assert _calls(DEEP, SHALLOW, fused=None, resumes=False) == [
        ("trunk", NEWEST, None, [2, 6], [], ["deep", "shallow"])
    ]


def test_a_fused_graph_is_called_once_for_all_that_it_reaches():
    new = _version("middle", 4, number=2)

    for resumes in (True, False):
        assert _calls(DEEP, SHALLOW, new, resumes=resumes) == [
            ("fused", 3, None, [2, 4, 6], ["deep", "shallow"], ["middle"])
        ]


def test_a_stream_s_fused_graph_is_called_once_per_tap():
    assert _calls(DEEP, SHALLOW, by_tap=True) == [
        ("fused", 3, None, [2], ["shallow"], []),
        ("fused", 3, 2, [6], ["deep"], []),
    ]


def test_a_stream_is_one_call_where_models_cannot_go_on():
    assert _calls(DEEP, SHALLOW, by_tap=True, resumes=False) == [("fused", 3, None, [2, 6], ["deep", "shallow"], [])]


def test_a_tap_that_the_fused_graph_lacks_is_reached_from_the_nearest_one_below():
    new = _version("new", 5)

    assert _calls(SHALLOW, DEEP, MIDDLE, new) == [
        ("fused", 3, None, [2, 4, 6], ["deep", "middle", "shallow"], []),
        ("trunk", NEWEST, 4, [5], [], ["new"]),
    ]
    assert _calls(SHALLOW, new, by_tap=True) == [
        ("fused", 3, None, [2], ["shallow"], []),
        ("trunk", NEWEST, 2, [5], [], ["new"]),
    ]
    assert _calls(new) == [("trunk", NEWEST, None, [5], [], ["new"])]


def test_a_fused_graph_does_not_go_on_from_a_tap_that_it_lacks():
    assert _calls(DEEP, _version("new", 3), by_tap=True) == [
        ("trunk", NEWEST, None, [3], [], ["new"]),
        ("fused", 3, None, [6], ["deep"], []),
    ]


def test_where_models_cannot_go_on_the_trunk_begins_anew_for_a_tap_that_the_fused_graph_lacks():
    assert _calls(SHALLOW, DEEP, _version("new", 5), resumes=False) == [
        ("fused", 3, None, [2, 6], ["deep", "shallow"], []),
        ("trunk", NEWEST, None, [5], [], ["new"]),
    ]


def test_nobody_waits_for_layers_that_only_a_shadow_needs():
    shadow = _version("shallow", 6, number=2)

    assert _calls(SHALLOW, MIDDLE, shadow, shadows=[shadow]) == [
        ("fused", 3, None, [2, 4], ["middle", "shallow"], []),
        ("fused", 3, 4, [6], [], ["shallow"]),
    ]


def test_hidden_states_are_asked_for_where_a_branch_or_a_later_step_reads_them_and_nowhere_else():
    new = _version("new", 5)
    places = {SHALLOW: {0: 0, 1: 1}, DEEP: {1: 1, 2: 2}, new: {2: 2}}
    (first,) = route(places, FUSED, True, False, lambda _: True)

    assert first.sequences(places) == [0, 1, 2]
    assert first.hidden(places) == {2: [2]}, "where the trunk goes on to tap 5"
    assert first.hidden({SHALLOW: {0: 0}}) == {}

    first, *_ = route(places, FUSED, True, True, lambda _: True)
    assert first.hidden(places) == {2: [1, 2]}, "for the trunk, and for the step to tap 6"
