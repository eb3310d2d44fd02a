"""golden.npz in the folder of a branch's version: its golden examples as token ids and logits, without the texts.

Any server, and any program with numpy, can check a version with it. It is data only: numpy's archive without objects.
"""

from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_STORED

import numpy as np

from build_tools.errors import BuildError
from build_tools.repository.names import TRUNK_INPUTS

GOLDEN_EXAMPLES = "golden.npz"
_LOGITS, _WORDS = "logits", "words"


@dataclass(frozen=True)
class GoldenExamples:
    """B examples, padded to the longest one's T tokens.

    inputs: what the trunk reads, int64 [B, T] each. logits: PyTorch's, float32 [B, C], for tagging [B, T, C] with zeros
    at padding. words: for tagging, whether a position is the first sub-word of a word, bool [B, T]; else None. spread:
    the range of the logits of all examples of the version, of which these may be the first.
    """

    inputs: dict[str, np.ndarray]
    logits: np.ndarray
    words: np.ndarray | None
    spread: float

    def first(self, rows: int) -> "GoldenExamples":
        """Returns the first examples, padded to the longest of them."""
        length = int(self.inputs["attention_mask"][:rows].sum(axis=1).max())
        return GoldenExamples(
            {name: array[:rows, :length] for name, array in self.inputs.items()},
            self.logits[:rows] if self.words is None else self.logits[:rows, :length],
            None if self.words is None else self.words[:rows, :length],
            self.spread,
        )


def write_golden(version: Path, examples: GoldenExamples) -> None:
    """Writes golden.npz into a version's folder, which is not in its place yet."""
    arrays = examples.inputs | {_LOGITS: examples.logits}
    if examples.words is not None:
        arrays[_WORDS] = examples.words
    np.savez(version / GOLDEN_EXAMPLES, **arrays)  # uncompressed, and the same bytes for the same arrays


def read_golden(version: Path) -> GoldenExamples | None:
    """Returns the examples of a version's folder; None if it has none. Raises BuildError if the file is damaged."""
    file = version / GOLDEN_EXAMPLES
    if not file.is_file():
        return None
    try:
        with np.load(file, allow_pickle=False) as arrays:
            if any(entry.compress_type != ZIP_STORED for entry in arrays.zip.infolist()):
                raise ValueError("its arrays are compressed")  # a small file could become any size in memory
            inputs = {name: arrays[name] for name in TRUNK_INPUTS}
            logits, words = arrays[_LOGITS], arrays.get(_WORDS)
        _check(inputs, logits, words)
    except Exception as error:  # numpy, zipfile and zlib raise many types
        raise BuildError(f"{file} is damaged ({error}): publish the version again.") from error
    return GoldenExamples(inputs, logits, words, float(np.ptp(logits)))


def _check(inputs: dict[str, np.ndarray], logits: np.ndarray, words: np.ndarray | None) -> None:
    shape = inputs[TRUNK_INPUTS[0]].shape
    if len(shape) != 2 or not all(shape) or any(array.shape != shape for array in inputs.values()):
        raise ValueError("its token ids, masks and types do not have the same two sizes")
    if any(array.dtype != np.int64 for array in inputs.values()) or logits.dtype != np.float32:
        raise ValueError("an array has a wrong type")
    leading = shape if words is not None else shape[:1]
    if logits.shape[:-1] != leading or (words is not None and (words.shape != shape or words.dtype != np.bool_)):
        raise ValueError("its logits do not fit its token ids")
