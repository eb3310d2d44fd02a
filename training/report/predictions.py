"""The answers of the chosen checkpoints on the dev rows of their tasks."""

from collections.abc import Callable, Sequence

from training.branch_record import BranchRecord
from training.checkpoint import load_checkpoint
from training.data import Example, load_task
from training.data.example import UnlabelledExample
from training.data.partly_labelled import read_partly_labelled
from training.device import training_device
from training.encoder import Encoder, load_encoder
from training.errors import TrainingError
from training.evaluator import answers_of
from training.fingerprint import trunk_fingerprints
from training.model import Trunk
from training.report.analysis.predicted import Predicted
from training.report.collected_results import CollectedResults, SearchedTask
from training.selection.options import Option
from training.selection.suite import Suite
from training.task_model import ComputedStates, TaskModel
from training.tokenization import tokenize
from training.trunk_fit import check_fingerprint


def predict_all(results: CollectedResults, suite: Suite, tell: Callable[[str], None]) -> dict[str, Predicted | str]:
    """Returns, for each task, the answers of its branch in `suite`, or a sentence that says why they are missing.

    tell: called with a line for each task before its branch runs.
    """
    try:
        encoder = load_encoder(results.encoder)
    except TrainingError as error:
        return dict.fromkeys(results.names, str(error))
    fingerprints = trunk_fingerprints(encoder, suite.trunk_depth)
    found: dict[str, Predicted | str] = {}
    for task in results.tasks:
        tell(f"{task.name}: reading the errors of its branch")
        try:
            found[task.name] = predict_dev(task, suite.tasks[task.name], encoder, fingerprints)
        except TrainingError as error:
            found[task.name] = str(error)
    return found


def predict_dev(task: SearchedTask, option: Option, encoder: Encoder, fingerprints: Sequence[str]) -> Predicted:
    """Runs the option's checkpoint on all dev rows of the task's data.

    fingerprints: f(0), f(1), ... of the encoder, at least up to the checkpoint's tap.
    Raises TrainingError if the checkpoint or the data cannot be read, or differ from those of the search.
    """
    if option.checkpoint is None:
        raise TrainingError(f"{task.folder}: the {option.role} of {option.layers} layers has no checkpoint.")
    checkpoint = load_checkpoint(option.checkpoint)
    record = checkpoint.record
    check_fingerprint(record, encoder.name, fingerprints)
    dev = _labelled_dev(task, record)
    device = training_device()
    trunk = Trunk(encoder, [record.tap]).to(device)
    model = TaskModel(ComputedStates(trunk), checkpoint.branch.to(device))
    tokens = tokenize(checkpoint.tokenizer, dev, record.max_length)
    answers = answers_of(model, tokens, record.kind, record.labels)
    return Predicted([example.label for example in dev], answers)


def _labelled_dev(task: SearchedTask, record: BranchRecord) -> list[Example]:
    """The dev rows, of a model that was adopted those that have a label. Raises TrainingError as predict_dev does."""
    source, kind = task.result.data, task.result.kind
    if record.training.original is None:
        data = load_task(source, kind)
        dev, has_changed = data.dev, data.sha256 != task.result.data_sha256 or list(data.labels) != record.labels
    else:
        read = read_partly_labelled(source, kind)
        dev = [one for _, one in read.examples(kind)["dev"] if not isinstance(one, UnlabelledExample)]
        has_changed = read.sha256 != task.result.data_sha256
    if has_changed:
        raise TrainingError(f"{source} has changed since the search: search again.")
    if not dev:
        raise TrainingError(f"no dev row of {source} has a label to hold an answer against.")
    return dev
