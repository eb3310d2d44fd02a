"""The baseline of adapters: low-rank updates of the attention's weights (Hu et al. 2021), by PEFT; paper, section 5.3.

The trunk's weights stay, so adapters are small. But they change what every layer computes: each task needs a pass of
its own through the whole encoder, and shares no computation with the others.
"""

import torch

from training.errors import TrainingError
from training.hyper_parameters import HyperParameters
from training.kinds import Kind
from training.loop import AfterEpoch, Fit, fit, go_on
from training.prepared_task import PreparedTask
from training.task_model import FullModel

RANK, SCALE, DROPOUT = 8, 16, 0.1  # PEFT's own examples of sequence classification
TARGETS = r".*layers\.\d+\..*(query|value)"  # as in LoRA's paper, section 5.1


def check_peft() -> None:
    """Raises TrainingError if PEFT cannot be used. Call it before hours of training."""
    try:
        import peft  # noqa: F401  (it is slow to import)
    except ImportError as error:
        raise TrainingError(
            f"the baseline of adapters needs the package peft ({error}): install Espalier with its extra `adapters` "
            "(pip install '.[adapters]' in its folder)."
        ) from error


def train_lora(task: PreparedTask, hyper: HyperParameters, after_epoch: AfterEpoch = go_on) -> tuple[FullModel, Fit]:
    """Trains adapters of queries and values in all layers, and the head; all else stays as it was pretrained.

    Returns the model with the adapters merged into its weights, so that it computes as a plain encoder does.
    Raises TrainingError as check_peft does, NotFiniteError if the loss is NaN or infinite.
    """
    check_peft()
    from peft import LoraConfig, inject_adapter_in_model
    from peft.tuners.lora import LoraLayer

    torch.manual_seed(hyper.seed)
    model = FullModel(task.encoder, task.outputs, per_token=task.kind is Kind.TAGGING)
    config = LoraConfig(r=RANK, lora_alpha=SCALE, lora_dropout=DROPOUT, target_modules=TARGETS)
    inject_adapter_in_model(config, model)  # in place; freezes all but the adapters
    model = model.to(task.device)
    for module in (model.branch.pooler, model.branch.classifier):
        if module is not None:
            module.requires_grad_(requires_grad=True)
    result = fit(
        model,
        task.losses(model, task.hard_loss(hyper), hyper),
        task.batches(hyper),
        lambda: task.scores(model),
        task.metric,
        hyper,
        f"{task.name} LoRA",
        after_epoch,
    )
    for name, module in list(model.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge()
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, module.get_base_layer())
    return model.requires_grad_(requires_grad=False), result
