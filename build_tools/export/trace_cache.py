"""A cache of traced graphs without weights. Most branches differ only in their weights.

Tracing is the slowest step of a publish, and each `espalier publish` is a new process, so the cache is on disk.
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
_LIBRARIES = ("onnx", "onnx-ir", "onnxscript", "torch")
_DIGEST = hashlib.sha256().digest_size
_KEPT_SECONDS = 90 * 24 * 3600  # older graphs are deleted; one in use is traced again

_graphs: dict[Structure, onnx_ir.Model] = {}


def traced(structure: Structure, inputs: Sequence[str], trace: Callable[[], onnx_ir.Model]) -> onnx_ir.Model:
    """Returns a graph of that structure and those inputs, whose weights have no values.

    It comes from this process's memory, else from the user's cache folder, else from `trace`, and is then kept in both.
    """
    if structure not in _graphs:
        graph = _read(structure, inputs)
        if graph is None:
            graph = trace()
            _keep(structure, graph)
        _graphs[structure] = graph
    return _graphs[structure].clone()


def cached_file(structure: Structure) -> Path:
    """Returns the file of a graph. Its name changes with the structure, our code and the versions of the libraries."""
    key = hashlib.sha256(f"{structure!r} {_CODE}".encode()).hexdigest()
    return user_cache_path("espalier", appauthor=False) / "traced_graphs" / f"{key}.onnx"


def _code() -> str:
    digest = hashlib.sha256()
    for file in sorted(file for folder in _SOURCES for file in (_ROOT / folder).rglob("*.py") if file.is_file()):
        digest.update(f"{file.relative_to(_ROOT)} {file.stat().st_size} ".encode() + file.read_bytes())
    return f"{digest.hexdigest()} {[version(name) for name in _LIBRARIES]}"


_CODE = _code()  # hashed when the code is loaded: the files may change before the first export


def _read(structure: Structure, inputs: Sequence[str]) -> onnx_ir.Model | None:
    try:
        content = cached_file(structure).read_bytes()
    except OSError:
        return None
    if hashlib.sha256(content[_DIGEST:]).digest() != content[:_DIGEST]:
        return None  # damaged: traced again and replaced
    model = onnx_ir.from_proto(onnx.load_from_string(content[_DIGEST:]))
    graph = model.graph
    constants = list(graph.initializers.values())
    graph.initializers.clear()
    for weight in graph.inputs[len(inputs) :]:
        graph.inputs.remove(weight)
        graph.initializers.add(weight)
    for constant in constants:  # after the weights, as traced, so that exports write the same bytes
        graph.initializers.add(constant)
    return model


def _keep(structure: Structure, known: onnx_ir.Model) -> None:
    """An ONNX file cannot hold a weight without a value, so weights are stored as inputs after the module's own."""
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
        pass  # without a cache the next export is only slower
