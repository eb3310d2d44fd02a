"""The length to which a sequence is padded."""

_FEW = 32


def padded_length(tokens: int, most: int) -> int:
    """Returns `tokens` rounded up to a multiple of 4 (of 8 above 32), at most `most`.

    A runtime prepares and keeps kernels for each shape that it sees. With rounded lengths there are fewer shapes: a
    server that has seen all of them takes a quarter less memory (docs/experiments.md).
    """
    step = 4 if tokens <= _FEW else 8
    return min(-(-tokens // step) * step, most)
