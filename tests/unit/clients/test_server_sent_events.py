import pytest

from clients.errors import ServerFailed
from clients.server_sent_events import EventReader

_STREAM = 'data: {"a": "ü"}\n\ndata: {"b": 2}\r\n\r\n: a comment\n\n'.encode()


def test_events_survive_any_cut_of_the_stream() -> None:
    for size in range(1, len(_STREAM) + 1):
        reader = EventReader()
        chunks = [_STREAM[start : start + size] for start in range(0, len(_STREAM), size)]
        assert [event for chunk in chunks for event in reader.feed(chunk)] == ['{"a": "ü"}', '{"b": 2}']


def test_an_event_is_handed_out_as_soon_as_its_line_ends() -> None:
    reader = EventReader()
    assert list(reader.feed(b"data: 1")) == []
    assert list(reader.feed(b"\n")) == ["1"]


def test_an_event_that_is_not_utf_8_is_a_failure_of_the_server() -> None:
    with pytest.raises(ServerFailed, match="an event of the stream is not UTF-8"):
        list(EventReader().feed(b"data: \xff\n"))
