"""Triton puts a model's own folder on sys.path, and the router adds the tokenizer's; here both are added by hand."""

import importlib
import string
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

_REPOSITORY = Path(__file__).resolve().parents[3] / "model_repository"
sys.path += [str(_REPOSITORY / "nlu" / "1"), str(_REPOSITORY / "tokenizer" / "1")]


@pytest.fixture(scope="session")
def tokenizer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT tokenizer of single letters: a word of n letters has n tokens, all else is one [UNK] a word."""
    letters = [*string.ascii_lowercase, *(f"##{letter}" for letter in string.ascii_lowercase)]
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *string.punctuation]
    tokenizer = Tokenizer(models.WordPiece({name: index for index, name in enumerate(names)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", names.index("[CLS]")), ("[SEP]", names.index("[SEP]"))],
    )
    file = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokenizer.save(str(file))
    return file


def _input(request: dict[str, np.ndarray], name: str) -> SimpleNamespace | None:
    return SimpleNamespace(as_numpy=lambda: request[name]) if name in request else None


class _TritonError(SimpleNamespace):
    INVALID_ARG, INTERNAL, UNAVAILABLE, CANCELLED = "INVALID_ARG", "INTERNAL", "UNAVAILABLE", "CANCELLED"

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message=message, code=code)


# Those of the router's modules that import Triton's own, and so must be imported anew beside each stand-in.
_BOUND_TO_TRITON = ("request", "response", "inference", "metrics", "trunk", "run")


@pytest.fixture
def triton(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the router uses of Triton's own module, which exists in its stub process only."""
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
def request_module(triton: None) -> ModuleType:  # noqa: ARG001
    """router.request; a request is a dict of arrays."""
    return importlib.import_module("router.request")


@pytest.fixture
def response_module(triton: None) -> ModuleType:  # noqa: ARG001
    """router.response."""
    return importlib.import_module("router.response")


@pytest.fixture
def trunk_module(triton: None) -> ModuleType:  # noqa: ARG001
    """router.trunk; a test sets its `infer`."""
    return importlib.import_module("router.trunk")


@pytest.fixture
def run_module(triton: None) -> ModuleType:  # noqa: ARG001
    """router.run; a test sets its `infer`."""
    return importlib.import_module("router.run")
