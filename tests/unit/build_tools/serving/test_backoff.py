from build_tools.serving.backoff import pause_after


def test_pauses_double_up_to_the_longest() -> None:
    assert [pause_after(failed, 0.5, 30.0) for failed in range(8)] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_what_has_failed_for_a_day_is_still_tried_again() -> None:
    """2**1024 is no float: the watch, and with it the server, ended when one model had failed so often."""
    assert pause_after(1024, 0.5, 30.0) == 30.0
    assert pause_after(10**6, 0.2, 10.0) == 10.0
