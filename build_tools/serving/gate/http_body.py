"""Reads a request's body over HTTP within bounds, also when it is compressed."""

import asyncio
import zlib

from fastapi import Request

from build_tools.serving.gate.refusal import Code, RefusedError

_BODY_SECONDS = 20.0  # in which the whole body must have come
_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


async def read_body(request: Request, most: int) -> bytes:
    """Returns the body, decompressed. most: bytes of it, before and after.

    Raises RefusedError: TOO_LARGE, TOO_SLOW, INVALID if it cannot be decompressed, CANCELLED if its sender has left.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity" and encoding not in _WINDOWS:
        raise RefusedError(Code.INVALID, "the body's encoding is not known: send it plain, or as gzip or deflate.")
    length = request.headers.get("content-length", "")
    if length.isdigit() and (len(length) > 15 or int(length) > most):
        raise _too_large(most)
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            body = await _received(request, most)
    except TimeoutError:
        raise RefusedError(Code.TOO_SLOW, f"the body did not come within {_BODY_SECONDS:g} s.") from None
    return body if encoding == "identity" else _decompressed(body, _WINDOWS[encoding], most)


async def _received(request: Request, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        event = await request.receive()
        if event["type"] == "http.disconnect":
            raise RefusedError(Code.CANCELLED, "the caller left before the body had come.")
        part = event.get("body", b"")
        size += len(part)
        if size > most:
            raise _too_large(most)
        parts.append(part)
        if not event.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _decompressed(body: bytes, window: int, most: int) -> bytes:
    decompressor = zlib.decompressobj(window)
    try:
        plain = decompressor.decompress(body, most)
        if decompressor.unconsumed_tail:
            raise _too_large(most)
        if not decompressor.eof or decompressor.unused_data:
            raise RefusedError(Code.INVALID, "the compressed body is cut off, or something follows it.")
    except zlib.error:
        raise RefusedError(Code.INVALID, "the body cannot be decompressed.") from None
    return plain


def _too_large(most: int) -> RefusedError:
    return RefusedError(Code.TOO_LARGE, f"the body is larger than {most} bytes: send fewer or shorter texts.")
