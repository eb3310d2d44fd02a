from collections.abc import Callable

import pytest

from clients.errors import RequestRejected
from clients.load_test.load import Concurrency, Distribution, Load, Rate
from clients.load_test.options import read_loads, read_protocols


@pytest.mark.parametrize("make", [lambda: Concurrency(0), lambda: Rate(0.0), lambda: Rate(float("nan"))])
def test_a_load_of_nothing_is_refused(make: Callable[[], Load]) -> None:
    with pytest.raises(RequestRejected, match="is not a load"):
        make()


def test_callers_and_rates_make_one_sweep_and_callers_alone_are_the_default() -> None:
    assert read_loads("2, 4", "7.5", Distribution.CONSTANT) == [
        Concurrency(2),
        Concurrency(4),
        Rate(7.5, Distribution.CONSTANT),
    ]
    assert read_loads(None, "9", Distribution.POISSON) == [Rate(9.0)]
    assert read_loads(None, None, Distribution.POISSON) == [Concurrency(1), Concurrency(8), Concurrency(32)]


@pytest.mark.parametrize(
    ("callers", "rates", "sentence"),
    [
        ("8;32", None, "--concurrency: '8;32' is not a list of numbers"),
        ("1.5", None, "--concurrency: '1.5' is not a list of numbers"),
        (None, " , ", "--rate: ' , ' is not a list of numbers"),
        ("0", None, "a load of 0 callers is not a load"),
    ],
)
def test_what_is_no_number_of_callers_or_texts_is_one_sentence(
    callers: str | None, rates: str | None, sentence: str
) -> None:
    with pytest.raises(RequestRejected) as error:
        read_loads(callers, rates, Distribution.POISSON)
    assert str(error.value).startswith(sentence)


def test_each_protocol_is_measured_once() -> None:
    assert read_protocols("stream,grpc, stream") == ["grpc", "stream"]


@pytest.mark.parametrize(("joined", "sentence"), [("grpc,soap", "'soap' is none of grpc, http"), ("", "is empty")])
def test_an_unknown_protocol_is_one_sentence(joined: str, sentence: str) -> None:
    with pytest.raises(RequestRejected, match=sentence):
        read_protocols(joined)
