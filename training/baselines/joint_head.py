"""A new task on a joint model that was trained without it: only its head is trained (paper, section 4.2)."""

from itertools import accumulate

import torch
from torch.nn.utils.rnn import pad_sequence

from training.baselines.joint_training import Keep, keep_nothing
from training.batches import Inputs, groups_by_length, make_inputs
from training.encoder import Encoder
from training.hyper_parameters import HyperParameters
from training.kinds import Kind
from training.loop import Fit, fit
from training.model import new_branch
from training.prepared_task import PreparedTask, Split
from training.stored_states import BATCH


class HeadStates:
    """The input of a head for one split's texts, computed once and kept in memory as float16.

    It is the hidden states after the encoder's last layer: of every token for tagging, else of [CLS] alone (T = 1).
    """

    @torch.no_grad()
    def __init__(self, task: PreparedTask, split: Split) -> None:
        compute = task.states(split, task.encoder.layers)
        tokens, self.device = task.tokens[split], task.device
        self.lengths = [len(one.ids) if task.kind is Kind.TAGGING else 1 for one in tokens]
        self.starts = list(accumulate(self.lengths, initial=0))
        self.memory = torch.empty(self.starts[-1], task.encoder.architecture.hidden_size, dtype=torch.float16)
        for rows in groups_by_length(tokens, BATCH):
            hidden = compute(make_inputs(tokens, rows).to(self.device)).to("cpu", torch.float16)
            for place, row in enumerate(rows):
                self._of(row).copy_(hidden[place, : self.lengths[row]])

    def __call__(self, inputs: Inputs) -> torch.Tensor:
        kept = [self._of(row) for row in inputs.rows.tolist()]
        return pad_sequence(kept, batch_first=True).to(self.device).float()

    def _of(self, row: int) -> torch.Tensor:
        return self.memory[self.starts[row] : self.starts[row + 1]]


def train_head(prepared: PreparedTask, encoder: Encoder, hyper: HyperParameters, keep: Keep = keep_nothing) -> Fit:
    """Trains a new head for the task on `encoder`, which does not change.

    prepared: the task, on any encoder. Raises NotFiniteError if the loss is NaN or infinite.
    """
    tap = encoder.layers
    task = PreparedTask(prepared.data, prepared.name, encoder, prepared.max_length, prepared.metric)
    task.stored = {(split, tap): HeadStates(task, split) for split in task.splits}
    torch.manual_seed(hyper.seed)
    head = new_branch(encoder, tap, task.outputs, per_token=task.kind is Kind.TAGGING)
    model, on_dev = task.model("train", head, tap), task.model("dev", head, tap)
    result = fit(
        model,
        task.losses(model, task.hard_loss(hyper), hyper),
        task.batches(hyper),
        lambda: task.scores(on_dev),
        task.metric,
        hyper,
        f"{task.name} head on the joint model without it",
    )
    keep(prepared, encoder, head)
    return result
