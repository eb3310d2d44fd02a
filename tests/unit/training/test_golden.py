import numpy as np
import pytest
import torch

from training.checkpoint import Checkpoint
from training.data import Example, TaskData
from training.encoder import Encoder
from training.golden import golden_examples
from training.kinds import Kind
from training.model import Trunk


@torch.no_grad()
@pytest.mark.parametrize("kind", list(Kind))
def test_golden_logits_are_those_of_each_text_by_itself(
    encoder: Encoder, teachers: dict[Kind, Checkpoint], tasks: dict[Kind, TaskData], kind: Kind
) -> None:
    trunk, branch = Trunk(encoder, [1]), teachers[kind].branch
    rows = golden_examples(trunk, branch, encoder.tokenizer, tasks[kind].dev, kind, 24)
    assert [row["text"] for row in rows] == [example.text for example in tasks[kind].dev]
    for row, example in zip(rows, tasks[kind].dev, strict=True):
        assert row.get("text_pair") == example.text_pair
        assert ("text_pair" in row) is kind.is_pair
        text = row["text"]
        encoding = encoder.tokenizer.encode(*((text, row["text_pair"]) if kind.is_pair else (text,)))
        ids, mask, types = (torch.tensor([one]) for one in (encoding.ids, encoding.attention_mask, encoding.type_ids))
        expected = branch(trunk(ids, mask, types)[-1], mask)[0].numpy()
        assert np.shape(row["logits"]) == expected.shape
        np.testing.assert_allclose(row["logits"], expected, atol=1e-6)


@pytest.mark.parametrize("count", [1, 20, 32, 33, 60, 100])
def test_golden_rows_are_32_spread_over_the_whole_dev_set(
    encoder: Encoder, teachers: dict[Kind, Checkpoint], count: int
) -> None:
    dev = [Example(f"film {number}", "pos") for number in range(count)]
    kind = Kind.CLASSIFICATION
    rows = golden_examples(Trunk(encoder, [1]), teachers[kind].branch, encoder.tokenizer, dev, kind, 24)
    numbers = [int(row["text"].removeprefix("film ")) for row in rows]
    assert len(numbers) == min(count, 32)
    gaps = [after - before for before, after in zip([-1, *numbers], [*numbers, count], strict=True)]
    assert min(gaps) >= 1
    assert max(gaps) <= -(-count // 32)
