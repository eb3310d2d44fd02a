"""Task checkpoints -> a whole model repository, proved before any of it is put in place."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from tokenizers import Tokenizer

from build_tools.errors import BuildError
from build_tools.export import export_branch, export_trunk
from build_tools.names import branch_name, hidden_name
from build_tools.proof import load_graph, prove_equal
from build_tools.registry import FILE, Registry, TaskEntry, TrunkEntry, version_entry, write_registry
from build_tools.runtime import Runtime
from build_tools.triton_config import (
    GRAPH_FILE,
    branch_config,
    ensemble_config,
    trunk_config,
    write_config,
)
from training.checkpoint import RECORD, TOKENIZER, Checkpoint, load_checkpoint
from training.encoder import Encoder, load_encoder, tokenizer_json
from training.fingerprint import trunk_fingerprints
from training.trunk_fit import check_fingerprint

HAND_WRITTEN = Path(__file__).resolve().parents[1] / "model_repository"
HAND_WRITTEN_MODELS = ("tokenizer", "nlu", "nlu_stream")

Report = Callable[[str], None]


def build(
    folders: list[Path],
    repository: Path,
    encoder_name: str | None = None,
    runtime: Runtime = Runtime.OPENVINO,
    report: Report = lambda _: None,
) -> Registry:
    """Builds a model repository from task checkpoints, each as version 1 of its branch.

    The repository is built beside its place and moved in when every graph is proved, registry.json last.
    encoder_name: None takes the one that the checkpoints name. report: told of each step.
    Raises BuildError (and TrainingError for an unusable checkpoint); the repository then is as it was.
    """
    repository = repository.resolve()  # "." has no name and no parent to stage in
    _check_place(repository)
    if not folders:
        raise BuildError("give at least one task checkpoint to build from.")
    checkpoints = [load_checkpoint(folder) for folder in folders]
    encoder = _common_encoder(checkpoints, encoder_name)
    fingerprints = _fitting_trunk(checkpoints, encoder)
    repository.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=repository.parent, prefix=f".{repository.name}.") as temporary:
        staged = Path(temporary) / repository.name
        staged.mkdir()
        registry = _stage(staged, checkpoints, encoder, fingerprints, runtime, report)
        _put_in_place(staged, repository)
    return registry


def _check_place(repository: Path) -> None:
    """Raises BuildError unless the repository is still to be made, empty, or holds the hand-written models alone."""
    if repository.exists() and not repository.is_dir():
        raise BuildError(f"{repository} is a file: choose another --repository.")
    if (repository / FILE).exists():
        raise BuildError(
            f"{repository} already holds a built repository and is not overwritten: choose another --repository or "
            f"remove it first."
        )
    own = {*HAND_WRITTEN_MODELS, "__pycache__"} if repository == HAND_WRITTEN else set()
    others = sorted({path.name for path in repository.iterdir()} - own) if repository.is_dir() else []
    if others:
        raise BuildError(
            f"{repository} is not empty ({', '.join(others[:3])} stands there): choose another --repository."
        )


def _common_encoder(checkpoints: list[Checkpoint], name: str | None) -> Encoder:
    """The encoder of all checkpoints. Raises BuildError if they name several, or two are of one task."""
    tasks = [checkpoint.record.task for checkpoint in checkpoints]
    for task in tasks:
        if tasks.count(task) > 1:
            raise BuildError(
                f"two checkpoints are of the task {task}: a repository has one branch per task; give one of them."
            )
    names = sorted({checkpoint.record.encoder.name for checkpoint in checkpoints})
    if name is None and len(names) > 1:
        raise BuildError(
            f"the checkpoints were trained on different encoders ({', '.join(names)}): one trunk serves one encoder. "
            "If they are the same one under several names, say which with --encoder."
        )
    return load_encoder(name or names[0])


def _fitting_trunk(checkpoints: list[Checkpoint], encoder: Encoder) -> list[str]:
    """f(0) .. f(deepest tap) of the encoder, hashed once. Raises TrainingError if a checkpoint does not fit."""
    deepest = max(checkpoint.record.tap for checkpoint in checkpoints)
    fingerprints = trunk_fingerprints(encoder, deepest)
    for checkpoint in checkpoints:
        check_fingerprint(checkpoint.record, encoder.name, fingerprints)
    return fingerprints


def _stage(
    staged: Path,
    checkpoints: list[Checkpoint],
    encoder: Encoder,
    fingerprints: list[str],
    runtime: Runtime,
    report: Report,
) -> Registry:
    """Lays out the whole repository in `staged`."""
    hidden_size = int(encoder.config["hidden_size"])
    taps = sorted({checkpoint.record.tap for checkpoint in checkpoints})
    lengths = sorted({checkpoint.record.max_length for checkpoint in checkpoints}, reverse=True)

    for name in HAND_WRITTEN_MODELS:
        _copy_hand_written(name, staged / name)
    for max_length in lengths:
        name = _tokenizer_name(max_length, lengths)
        if name != "tokenizer":
            _copy_hand_written("tokenizer", staged / name)
        (staged / name / "1" / TOKENIZER).write_text(_truncating(encoder.tokenizer, max_length), encoding="utf-8")

    report(f"trunk: {taps[-1]} layers of {encoder.name}, taps {', '.join(map(str, taps))}")
    trunk_file = _version_folder(staged / "trunk") / GRAPH_FILE
    export_trunk(encoder, taps, trunk_file)
    write_config(staged / "trunk", trunk_config(runtime, taps, hidden_size))
    trunk = load_graph(trunk_file, [hidden_name(tap) for tap in taps], runtime)

    for checkpoint in checkpoints:
        record = checkpoint.record
        model = staged / branch_name(record.task)
        branch_file = _version_folder(model) / GRAPH_FILE
        export_branch(checkpoint.branch, branch_file)
        (branch_file.parent / RECORD).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
        write_config(model, branch_config(runtime, record, hidden_size))
        branch = load_graph(branch_file, ["logits"], runtime)
        difference = prove_equal(checkpoint, trunk, branch)
        ensemble = staged / record.task
        _version_folder(ensemble)  # Triton wants a version folder, though an ensemble has nothing to put there
        write_config(ensemble, ensemble_config(record, _tokenizer_name(record.max_length, lengths)))
        report(
            f"{record.task}: tap {record.tap}, {record.layers} layers; {len(checkpoint.golden)} golden examples equal "
            f"to {difference:.1e}"
        )

    registry = Registry(
        runtime=runtime,
        trunk=TrunkEntry(encoder=encoder.name, taps=taps, fingerprints=fingerprints),
        tasks={
            checkpoint.record.task: TaskEntry(live=1, versions={"1": version_entry(checkpoint.record)})
            for checkpoint in checkpoints
        },
    )
    write_registry(staged, registry)
    return registry


def _put_in_place(staged: Path, repository: Path) -> None:
    """Moves the staged models in: at once where nothing stands yet, else folder by folder, registry.json last."""
    if not repository.exists():
        staged.rename(repository)
        return
    at_home = repository == HAND_WRITTEN  # the hand-written models stand there already
    kept = HAND_WRITTEN_MODELS if at_home else ()
    models = [path for path in sorted(staged.iterdir()) if path.is_dir() and path.name not in kept]
    if at_home:  # of theirs only the generated tokenizer.json is moved
        (staged / "tokenizer" / "1" / TOKENIZER).replace(repository / "tokenizer" / "1" / TOKENIZER)
    for path in models:
        path.rename(repository / path.name)
    (staged / FILE).replace(repository / FILE)


def _copy_hand_written(model: str, target: Path) -> None:
    shutil.copytree(HAND_WRITTEN / model, target, ignore=shutil.ignore_patterns("__pycache__", TOKENIZER))


def _version_folder(model: Path) -> Path:
    folder = model / "1"
    folder.mkdir(parents=True)
    return folder


def _tokenizer_name(max_length: int, lengths: list[int]) -> str:
    """The tokenizer model that truncates at max_length: `tokenizer` for the greatest, `tokenizer_<n>` for others."""
    return "tokenizer" if max_length == lengths[0] else f"tokenizer_{max_length}"


def _truncating(tokenizer: Tokenizer, max_length: int) -> str:
    """tokenizer.json with truncation switched on, in the file's own terms."""
    copy = Tokenizer.from_str(tokenizer_json(tokenizer))
    copy.enable_truncation(max_length, strategy="longest_first")
    return copy.to_str()
