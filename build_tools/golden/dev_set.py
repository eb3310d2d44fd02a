"""A task's dev examples, and its dev metric through exported graphs."""

from collections.abc import Iterable
from pathlib import Path

from build_tools.backends.espalier_backend.chain import Chain
from build_tools.errors import BuildError
from build_tools.repository.names import hidden_name
from training.batches import groups_by_length, pad_tokens
from training.checkpoint import Checkpoint
from training.data.split import find_split_file
from training.data.task import read_examples
from training.evaluator import decode
from training.kinds import Kind
from training.metrics import score
from training.tokenization import tokenize

BATCH = 64


def dev_folders(data: Path, tasks: Iterable[str]) -> dict[str, Path]:
    """Returns the data folder of each task that has one in `data`. Raises BuildError if none has."""
    tasks = list(tasks)
    folders = {task: data / task for task in tasks if (data / task).is_dir()}
    if not folders:
        raise BuildError(
            f"{data} holds no folder named after a task ({', '.join(tasks[:3])}): give the folder that contains the "
            "tasks' data folders."
        )
    return folders


class DevSet:
    """The dev examples of a task, tokenized for its branch.

    Raises TrainingError if a row cannot be used or has a label that the branch does not know.
    """

    def __init__(self, folder: Path, checkpoint: Checkpoint) -> None:
        self._record = checkpoint.record
        self._examples = read_examples(find_split_file(folder, "dev"), self._record.kind, tuple(self._record.labels))
        self._tokens = tokenize(checkpoint.tokenizer, self._examples, self._record.max_length)

    def score(self, trunk: Chain, branch: Chain) -> float:
        """Returns the task's metric, 0..100."""
        record, tokens = self._record, self._tokens
        predicted: list[object] = [None] * len(tokens)
        for rows in groups_by_length(tokens, BATCH):
            inputs = {name: tensor.numpy() for name, tensor in pad_tokens([tokens[row] for row in rows]).items()}
            hidden = trunk.run(inputs, [hidden_name(record.tap)])[hidden_name(record.tap)]
            logits = branch.run({"hidden": hidden, "attention_mask": inputs["attention_mask"]}, ["logits"])["logits"]
            for row, computed in zip(rows, logits, strict=True):
                own = computed[: len(tokens[row].ids)] if record.kind is Kind.TAGGING else computed
                predicted[row] = decode(own, tokens[row], record.kind, record.labels)
        golds = [example.label for example in self._examples]
        return score(record.kind, record.labels, predicted, golds)[record.metric]
