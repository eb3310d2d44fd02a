"""The server-sent events of Triton's generate_stream, cut from a byte stream."""

from collections.abc import Iterator

from clients.failure import unreadable


class EventReader:
    """Collects chunks of any size and hands out the `data:` payloads that they complete.

    Triton writes each event's payload on a single line, however long.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._found = False

    @property
    def is_whole(self) -> bool:
        """Whether an event came, and no part of one is left."""
        return self._found and not self._rest.strip()

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Yields the payloads that the chunk completes. Raises ServerFailed if one is not UTF-8."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                self._found = True
                try:
                    event = line.removeprefix(b"data:").strip().decode()
                except UnicodeDecodeError:
                    raise unreadable("an event of the stream is not UTF-8") from None
                yield event
