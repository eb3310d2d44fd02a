"""Traced graphs without weights, kept for the next export: many branches are alike but for their weights.

Tracing a branch takes longer than all else that is done to publish it, and each `espalier publish` is a new process.
"""

import hashlib
import time
from collections.abc import Callable, Hashable, Sequence
from importlib.metadata import version
from pathlib import Path

import onnx
import onnx_ir
from platformdirs import user_cache_path

from training.atomic_write import replace_file

Structure = tuple[Hashable, ...]

_ROOT = Path(__file__).parents[2]
_SOURCES = ("build_tools", "training")  # whose code is traced
_LIBRARIES = ("onnx", "onnx-ir", "onnxscript", "torch", "transformers")
_DIGEST = hashlib.sha256().digest_size
_KEPT_SECONDS = 90 * 24 * 3600  # a graph that is still used is traced again after that; all others go

_graphs: dict[Structure, onnx_ir.Model] = {}


def traced(structure: Structure, inputs: Sequence[str], trace: Callable[[], onnx_ir.Model]) -> onnx_ir.Model:
    """A graph of that structure and those inputs, whose weights have no values yet: known to this process, or kept in
    the user's cache folder by an earlier one, or else traced now and kept."""
    if structure not in _graphs:
        graph = _read(structure, inputs)
        if graph is None:
            graph = trace()
            _keep(structure, graph)
        _graphs[structure] = graph
    return _graphs[structure].clone()


def cached_file(structure: Structure) -> Path:
    """Where a graph is kept: in another file for another structure, other code, or another version of a library."""
    key = hashlib.sha256(f"{structure!r} {_CODE}".encode()).hexdigest()
    return user_cache_path("espalier", appauthor=False) / "traced_graphs" / f"{key}.onnx"


def _code() -> str:
    digest = hashlib.sha256()
    for file in sorted(file for folder in _SOURCES for file in (_ROOT / folder).rglob("*.py") if file.is_file()):
        digest.update(f"{file.relative_to(_ROOT)} {file.stat().st_size} ".encode() + file.read_bytes())
    return f"{digest.hexdigest()} {[version(name) for name in _LIBRARIES]}"


_CODE = _code()  # now, when the code is loaded: the files may be others by the time of the first export


def _read(structure: Structure, inputs: Sequence[str]) -> onnx_ir.Model | None:
    try:
        content = cached_file(structure).read_bytes()
    except OSError:
        return None
    if hashlib.sha256(content[_DIGEST:]).digest() != content[:_DIGEST]:
        return None  # damaged: traced anew, and replaced
    model = onnx_ir.from_proto(onnx.load_from_string(content[_DIGEST:]))
    graph = model.graph
    constants = list(graph.initializers.values())
    graph.initializers.clear()
    for weight in graph.inputs[len(inputs) :]:
        graph.inputs.remove(weight)
        graph.initializers.add(weight)
    for constant in constants:  # behind the weights, as they were traced: what is written is the same file
        graph.initializers.add(constant)
    return model


def _keep(structure: Structure, known: onnx_ir.Model) -> None:
    """A file of ONNX cannot hold a weight without a value: there they are inputs, behind the module's own."""
    model = known.clone()
    graph = model.graph
    for name, weight in list(graph.initializers.items()):
        if weight.const_value is None:
            del graph.initializers[name]
            graph.inputs.append(weight)
    content = onnx_ir.to_proto(model).SerializeToString()
    try:
        file = cached_file(structure)
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, hashlib.sha256(content).digest() + content, staged_in=file.parent)
        for other in file.parent.iterdir():
            if other.stat().st_mtime < time.time() - _KEPT_SECONDS:
                other.unlink()
    except OSError:
        pass  # where no cache can be, the next export takes its time too
