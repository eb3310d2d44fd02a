import pytest

from build_tools.serving.errors import ServeError
from build_tools.serving.triton import resources
from build_tools.serving.triton.resources import Resources, choose_resources


def test_many_threads_are_chosen_only_where_there_are_many_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {}
    for cores in (1, 2, 16, 64):
        monkeypatch.setattr(resources, "usable_cores", lambda cores=cores: cores)
        chosen[cores] = choose_resources()

    assert {cores: share.threads for cores, share in chosen.items()} == {1: 1, 2: 1, 16: 2, 64: 8}
    for cores, share in chosen.items():
        assert share.threads * (share.at_once - 1) <= cores < share.threads * (share.at_once + 1)


def test_what_is_given_is_taken_and_the_rest_fits_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "usable_cores", lambda: 8)

    assert choose_resources(threads=4) == Resources(threads=4, trunk_threads=8, at_once=3, result_cache=0)
    assert choose_resources(3, 2, at_once=7, result_cache=5) == Resources(3, 2, 7, 5)


@pytest.mark.parametrize(
    ("given", "option"),
    [({"threads": 0}, "--threads 0"), ({"at_once": -1}, "--at-once -1"), ({"result_cache": -1}, "--result-cache -1")],
)
def test_a_number_too_small_is_named(given: dict[str, int], option: str) -> None:
    with pytest.raises(ServeError, match=option):
        choose_resources(**given)


def test_the_cache_is_told_in_bytes_and_the_limit_to_the_rate_limiter() -> None:
    share = Resources(threads=2, trunk_threads=4, at_once=3, result_cache=5)

    assert share.environment() == {
        "ESPALIER_THREADS": "2",
        "ESPALIER_TRUNK_THREADS": "4",
        "ESPALIER_AT_ONCE": "3",
        "ESPALIER_RESULT_CACHE_BYTES": "5000000",
    }
    assert "--rate-limit-resource=compute:3" in share.arguments()
