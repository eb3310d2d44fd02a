"""An ONNX file -> a chain of compiled segments."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from .chain import Chain, Segment

# (an ONNX file, names of its outputs, the config's parameters) -> segment
Compile = Callable[[Path, Sequence[str], Mapping[str, str]], Segment]


def load_chain(file: Path, outputs: Sequence[str], parameters: Mapping[str, str], compile_segment: Compile) -> Chain:
    """Cuts the file at its outputs and compiles each segment. A model with one output is one segment."""
    return Chain(_segments(file, outputs, parameters, compile_segment))


def _segments(
    file: Path, outputs: Sequence[str], parameters: Mapping[str, str], compile_segment: Compile
) -> Iterator[Segment]:
    if len(outputs) == 1:
        yield compile_segment(file, outputs, parameters)
        return
    # Imported here, so that only a model with several outputs (the trunk) pays for it.
    import onnx

    from .segments import cut_at_outputs

    segments = cut_at_outputs(onnx.load(file), outputs)
    if len(segments) == 1:
        yield compile_segment(file, outputs, parameters)
        return
    with TemporaryDirectory(prefix="espalier-") as folder:
        cut = Path(folder, "segment.onnx")
        while segments:
            segment = segments.pop(0)  # removed, so that its memory is freed after it is compiled
            cut.write_bytes(segment.SerializeToString())
            yield compile_segment(cut, [segment.graph.output[0].name], parameters)
