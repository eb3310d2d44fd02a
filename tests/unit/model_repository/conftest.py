"""Puts the router's and the tokenizer's folders on sys.path, as Triton's stub and the routers do."""

import importlib
import string
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from tiny_tokenizer import LETTERS, tiny_tokenizer

_REPOSITORY = Path(__file__).resolve().parents[3] / "model_repository"
sys.path += [str(_REPOSITORY / "nlu" / "1"), str(_REPOSITORY / "tokenizer" / "1")]

from climbing import REGISTRY, Models  # noqa: E402  the router is found from here on
from router.batch_clock import BatchClock  # noqa: E402
from router.breakers import Breakers  # noqa: E402
from router.call_threads import CallThreads  # noqa: E402
from router.candidates import Candidates  # noqa: E402
from router.durations import Durations  # noqa: E402
from router.metrics import RouterMetrics  # noqa: E402
from router.result_cache import ResultCache  # noqa: E402
from router.sequence_plan import SequencePlanner  # noqa: E402
from router.tracing import BatchTrace  # noqa: E402


@pytest.fixture(scope="session")
def tokenizer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT tokenizer of single letters: a word of n letters has n tokens, any other word is one [UNK]."""
    tokenizer = tiny_tokenizer(*LETTERS, *string.punctuation)
    file = tmp_path_factory.mktemp("repository") / "tokenizer" / "1" / "tokenizer.json"
    file.parent.mkdir(parents=True)
    tokenizer.save(str(file))
    return file


@pytest.fixture
def often_interrupted() -> Iterator[None]:
    """Makes threads take turns as often as Python can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(scope="session")
def repository(tokenizer_file: Path) -> Path:
    """A repository that holds tokenizer_file and nothing else."""
    return tokenizer_file.parents[2]


def _input(request: dict[str, np.ndarray], name: str) -> SimpleNamespace | None:
    return SimpleNamespace(as_numpy=lambda: request[name]) if name in request else None


class _TritonError(SimpleNamespace):
    INVALID_ARG, INTERNAL, UNAVAILABLE, CANCELLED = "INVALID_ARG", "INTERNAL", "UNAVAILABLE", "CANCELLED"

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message=message, code=code)


# The router's modules that import Triton's. They have to be imported again for each stand-in.
_BOUND_TO_TRITON = ("request_rows", "response", "bls", "trunk", "equipment", "delivery", "shares", "climb", "router")


@pytest.fixture
def triton(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stand-in for triton_python_backend_utils, which exists only in Triton's stub process."""
    stand_in = SimpleNamespace(
        get_input_tensor_by_name=_input,
        Tensor=lambda name, array: SimpleNamespace(name=name, array=array),
        TritonError=_TritonError,
        InferenceResponse=lambda output_tensors=(), error=None: SimpleNamespace(
            outputs={tensor.name: tensor.array for tensor in output_tensors}, error=error
        ),
    )
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", stand_in)
    yield
    for name in _BOUND_TO_TRITON:
        sys.modules.pop(f"router.{name}", None)


@pytest.fixture
def request_rows_module(triton: None) -> ModuleType:  # noqa: ARG001
    """router.request_rows; a request is a dict of arrays."""
    return importlib.import_module("router.request_rows")


@pytest.fixture
def response_module(triton: None) -> ModuleType:  # noqa: ARG001
    """router.response."""
    return importlib.import_module("router.response")


@pytest.fixture
def trunk_module(triton: None) -> ModuleType:  # noqa: ARG001
    """router.trunk; a test sets its `infer`."""
    return importlib.import_module("router.trunk")


@pytest.fixture
def climb_module(triton: None) -> ModuleType:  # noqa: ARG001
    """router.climb; a test sets its `infer`."""
    return importlib.import_module("router.climb")


@pytest.fixture
def router_module(triton: None) -> ModuleType:  # noqa: ARG001
    """router.router; a test sets the `infer` of climb_module and trunk_module."""
    return importlib.import_module("router.router")


@pytest.fixture
def models(climb_module, trunk_module, monkeypatch):
    models = Models()
    monkeypatch.setattr(climb_module, "infer", models.infer)
    monkeypatch.setattr(trunk_module, "infer", models.infer)
    yield models
    for event in models.held.values():
        event.set()


@pytest.fixture
def pool(models):  # noqa: ARG001  the calls held up are let go before the pool is shut down
    pool = CallThreads(4)
    yield pool
    pool.close()


@pytest.fixture
def cache():
    return ResultCache(2**20)


@pytest.fixture
def durations():
    return Durations()


@pytest.fixture
def metrics():
    metrics = RouterMetrics("nlu")
    yield metrics
    metrics.close()


@pytest.fixture
def processes():
    return SimpleNamespace(find=lambda *_: [], runs=lambda _: True, can_answer=lambda *_: True)


@pytest.fixture
def breakers(metrics, processes):
    breakers = Breakers(metrics, BatchClock(), processes)
    yield breakers
    breakers.keep([])


@pytest.fixture
def start(climb_module, trunk_module, repository, pool, cache, durations, breakers, metrics):
    """(rows, ...) -> a Climb of them."""
    planner = SequencePlanner(repository)

    def start(*rows, resumes=True, registry=REGISTRY, candidates=None, by_tap=False, layers=lambda _: 1):
        plan = planner.plan(rows, registry)
        candidates = candidates or Candidates(registry)
        trunk = trunk_module.Trunk(resumes)
        equipment = climb_module.Equipment(trunk, pool, cache, breakers, metrics, layers, durations)
        trace = BatchTrace(False)
        return climb_module.Climb(rows, plan, equipment, candidates, trace, registry.fused, by_tap)

    return start
