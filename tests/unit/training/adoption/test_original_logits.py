import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

import training.adoption.original_logits as asked
from training.adoption.original import Original, load_original
from training.adoption.original_logits import logits_of_original
from training.data import Example, TaskData
from training.errors import NotFiniteError, TrainingError
from training.kinds import Kind
from training.progress import Progress


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many texts each call asked the originals about."""
    found: list[int] = []
    compute = asked._compute

    def counted(original: Original, examples: Sequence[Example], progress: Any) -> list[np.ndarray]:
        found.append(len(examples))
        return compute(original, examples, progress)

    monkeypatch.setattr(asked, "_compute", counted)
    return found


@torch.no_grad()
def alone(original: Original, *texts: str) -> np.ndarray:
    """By plain transformers, one text or pair without padding: float32 [T, C] or [C]."""
    return original.model(**original.tokenizer(*texts, return_tensors="pt")).logits[0].numpy()


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.TAGGING])
def test_logits_are_those_of_each_text_alone_in_the_order_of_the_examples(
    originals: dict[Kind, Original], tasks: dict[Kind, TaskData], kind: Kind
) -> None:
    examples = tasks[kind].train[:7][::-1]
    expected = [
        alone(originals[kind], *([one.text] if one.text_pair is None else [one.text, one.text_pair]))
        for one in examples
    ]
    found = logits_of_original(originals[kind], examples)
    np.testing.assert_allclose(np.stack(found), np.stack(expected), atol=1e-5)
    assert np.ptp(np.stack(found), axis=0).min() > 1e-3  # rows that are mixed up would be seen


def words(text: str) -> tuple[tuple[int, int], ...]:
    ends = np.cumsum([len(word) + 1 for word in text.split(" ")]).tolist()
    return tuple((end - 1 - len(word), end - 1) for word, end in zip(text.split(" "), ends, strict=True))


@pytest.mark.parametrize("text", ["play jazz", "play “jazz” in São Paulo 東京 😀 !", "Porto"])
def test_a_word_gets_the_logits_of_its_first_token_whatever_the_tokens_are(
    originals: dict[Kind, Original], text: str
) -> None:
    original = originals[Kind.TAGGING]
    pieces = text.split(" ")
    counts = [
        len(original.tokenizer(word, add_special_tokens=False)["input_ids"])
        for word in (piece if place == 0 else f" {piece}" for place, piece in enumerate(pieces))
    ]
    firsts = [1 + sum(counts[:place]) for place in range(len(pieces))]
    found = logits_of_original(original, [Example(text, (), words=words(text))])[0]
    np.testing.assert_allclose(found, alone(original, text)[firsts], atol=1e-5)


def test_tokens_that_begin_at_the_blank_belong_to_the_word_behind_it() -> None:
    """Of the SentencePiece kind, as XLM-R's. `▁` alone is the first token of a word that it has no piece for."""
    pieces = [("<unk>", -9.0), ("▁", -2.0), ("▁play", -1.0), ("jazz", -1.0), ("▁in", -1.0), ("東", -3.0), ("京", -3.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    text = "play jazz in 東京"
    encoding = tokenizer.encode(text)
    firsts = asked._first_tokens(encoding.offsets, [0] * len(encoding), words(text))
    assert [encoding.tokens[first] for first in firsts] == ["▁play", "▁", "▁in", "▁"]


def test_what_a_model_does_not_read_is_not_handed_to_it(
    original_folders: dict[Kind, Path], tasks: dict[Kind, TaskData]
) -> None:
    kind = Kind.PAIR_CLASSIFICATION  # DistilBERT has no token types
    original, examples = load_original(str(original_folders[kind])), tasks[kind].train[:4]
    expected = logits_of_original(original, examples)
    original.tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    np.testing.assert_array_equal(asked._compute(original, examples, Progress("", 1)), np.stack(expected)[:, None])


def test_words_behind_the_originals_length_and_words_without_a_token_are_not_read(
    originals: dict[Kind, Original], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = originals[Kind.TAGGING]
    monkeypatch.setattr(original.tokenizer, "model_max_length", 8)
    text = "play jazz in the big old town of Porto"
    read = np.isfinite(logits_of_original(original, [Example(text, (), words=words(text))])[0]).all(axis=1)
    assert read[0]
    assert not read[-1]
    assert asked._first_tokens([(0, 0), (0, 4), (0, 0)], [1, 0, 1], [(0, 4), (5, 6)]) == [1, None]
    assert asked._first_tokens([(0, 4), (5, 9)], [0, 0], [(0, 4), (4, 4), (5, 9)]) == [0, None, 1]


def test_an_original_is_asked_once_and_again_only_for_new_texts(
    originals: dict[Kind, Original], tasks: dict[Kind, TaskData], runs: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "PART", 5)
    original, examples = originals[Kind.CLASSIFICATION], tasks[Kind.CLASSIFICATION].train[:10]
    first = logits_of_original(original, examples)
    assert runs == [5, 5]
    np.testing.assert_array_equal(logits_of_original(original, examples), first)
    assert runs == [5, 5]
    longer = logits_of_original(original, [*examples, Example("a new text", "")])
    assert runs == [5, 5, 1]
    np.testing.assert_array_equal(longer[:10], first)


def test_of_two_processes_one_asks_and_the_other_reads(
    originals: dict[Kind, Original], tasks: dict[Kind, TaskData], runs: list[int]
) -> None:
    """Two threads stand for them: the lock is the file's."""
    original, examples = originals[Kind.CLASSIFICATION], tasks[Kind.CLASSIFICATION].train
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: logits_of_original(original, examples), range(2))
    np.testing.assert_array_equal(first, second)
    assert runs == [len(examples)]


def test_labels_do_not_matter_to_what_is_kept_but_the_original_does(
    originals: dict[Kind, Original], runs: list[int]
) -> None:
    for original in (originals[Kind.CLASSIFICATION], originals[Kind.MULTI_LABEL]):
        for label in ("a", "b"):
            logits_of_original(original, [Example("good film", label)])
    assert runs == [1, 1]


def test_a_damaged_file_is_computed_again_and_old_files_are_removed(
    originals: dict[Kind, Original], own_cache: Path, runs: list[int]
) -> None:
    original = originals[Kind.CLASSIFICATION]
    first = logits_of_original(original, [Example("good film", "")])
    (file,) = (own_cache / "espalier" / "original_logits").glob("*.npy")
    old = file.with_name("old.npy")
    old.write_bytes(b"")
    os.utime(old, (time.time() - 91 * 24 * 3600,) * 2)
    file.write_bytes(file.read_bytes()[:-3])
    np.testing.assert_array_equal(logits_of_original(original, [Example("good film", "")]), first)
    assert runs == [1, 1]
    assert list(file.parent.glob("*.npy")) == [file]


def test_without_room_for_a_cache_the_answers_come_all_the_same(
    originals: dict[Kind, Original], own_cache: Path
) -> None:
    own_cache.write_text("a file where the folder should be")
    assert len(logits_of_original(originals[Kind.CLASSIFICATION], [Example("good film", "")])) == 1


def test_an_original_without_a_padding_token_reads_texts_one_by_one_and_each_is_a_step(
    original_folders: dict[Kind, Path], tasks: dict[Kind, TaskData], monkeypatch: pytest.MonkeyPatch
) -> None:
    original, examples = load_original(str(original_folders[Kind.CLASSIFICATION])), tasks[Kind.CLASSIFICATION].train[:4]
    expected = [alone(original, one.text) for one in examples]
    original.tokenizer.pad_token = None
    told: list[Progress] = []
    monkeypatch.setattr(asked, "Progress", lambda *of: told.append(Progress(*of)) or told[0])
    np.testing.assert_allclose(logits_of_original(original, examples), expected, atol=1e-5)
    assert (told[0].done, told[0].steps) == (4, 4)


@pytest.fixture
def answering(originals: dict[Kind, Original], monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Original]:
    """answering(f): an original whose model gives f's logits."""

    def answering(forward: Any, kind: Kind = Kind.CLASSIFICATION) -> Original:
        original = originals[kind]
        monkeypatch.setattr(original.model, "forward", forward)
        return original

    return answering


def test_a_tagger_that_answers_nan_at_a_word_is_refused_and_at_padding_is_not(
    answering: Callable[..., Original],
) -> None:
    def forward(input_ids: torch.Tensor, **_: object) -> Any:
        logits = torch.zeros(*input_ids.shape, 4)
        logits[input_ids == 1] = float("nan")  # the padding
        return type("Output", (), {"logits": logits + broken})

    original = answering(forward, Kind.TAGGING)
    rows = [Example("a", "", words=((0, 1),)), Example("a a a a", "", words=((0, 1), (2, 3)))]
    broken = 0.0
    assert all(np.isfinite(row).all() for row in logits_of_original(original, rows))
    broken = float("nan")
    with pytest.raises(NotFiniteError, match="it cannot be a teacher"):
        logits_of_original(original, rows[:1])


def test_answers_that_are_no_numbers_or_too_many_are_refused(answering: Callable[..., Original]) -> None:
    class Output:
        logits = torch.tensor([[float("nan"), 1.0]])

    original = answering(lambda **_: Output)
    with pytest.raises(NotFiniteError, match="it cannot be a teacher"):
        logits_of_original(original, [Example("a", "")])
    Output.logits = torch.zeros(1, 3)
    with pytest.raises(TrainingError, match=r"has 3 outputs, and `id2label` in its config\.json names 2"):
        logits_of_original(original, [Example("a", "")])


def test_what_goes_wrong_inside_the_original_is_one_sentence(answering: Callable[[Any], Original]) -> None:
    def fails(**_: object) -> None:
        raise IndexError("index out of range\nin self")

    with pytest.raises(TrainingError, match="cannot read 'some text': index out of range in self"):
        logits_of_original(answering(fails), [Example("some text", "")])
