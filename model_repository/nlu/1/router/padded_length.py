"""How long a sequence is when it is padded."""

_FEW = 32


def padded_length(tokens: int, most: int) -> int:
    """`tokens` rounded up to a multiple of 4, beyond 32 to one of 8, but no more than `most`.

    A runtime prepares its kernels for each shape that it has not seen, and keeps them: of mixed lengths there are many,
    and a server that has seen them all holds a quarter less if they are rounded (docs/experiments.md).
    """
    step = 4 if tokens <= _FEW else 8
    return min(-(-tokens // step) * step, most)
