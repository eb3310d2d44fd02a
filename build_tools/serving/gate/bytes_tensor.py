"""The binary form of KServe's datatype BYTES: each element with its length before it, four bytes, little-endian."""

import struct
from collections.abc import Iterable

_LENGTH = struct.Struct("<I")


def pack_texts(texts: Iterable[bytes]) -> bytes:
    """Returns the binary form of these elements."""
    return b"".join(part for text in texts for part in (_LENGTH.pack(len(text)), text))


def unpack_texts(raw: bytes) -> list[bytes]:
    """Returns the elements. Raises ValueError if the lengths do not fit."""
    texts, place, end = [], 0, len(raw)
    while place < end:
        start = place + 4
        if start > end:
            raise ValueError("a length is cut off")
        place = start + _LENGTH.unpack_from(raw, place)[0]
        if place > end:
            raise ValueError("an element is cut off")
        texts.append(raw[start:place])
    return texts


def has_texts(raw: bytes, count: int) -> bool:
    """Whether `raw` is the binary form of exactly `count` elements."""
    place, end = 0, len(raw)
    for _ in range(count):
        if place + 4 > end:
            return False
        place += 4 + _LENGTH.unpack_from(raw, place)[0]
    return place == end
