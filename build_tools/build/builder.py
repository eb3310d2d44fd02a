"""Task checkpoints -> a new model repository, which is checked before it is moved in."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from build_tools.build.destination import check_destination, is_home, move_in
from build_tools.build.router_instances import choose_instances, set_instances
from build_tools.compaction.compact import compact
from build_tools.errors import BuildError
from build_tools.export.hand_written_models import copy_hand_written
from build_tools.export.onnx_export import export_branch, export_trunk
from build_tools.export.tokenizer_models import make_tokenizer, tokenizer_name
from build_tools.golden.dev_set import dev_folders
from build_tools.golden.golden_batch import GoldenBatch
from build_tools.golden.logit_parity import check_logits
from build_tools.precision.choose_for_build import choose_precisions
from build_tools.precision.fastest_passing import Precisions
from build_tools.precision.graph import ExportedBranch, Graph, Graphs
from build_tools.precision.hardware import available_precisions
from build_tools.publishing.running_server import NoServer
from build_tools.repository.control_key import ensure_control_key
from build_tools.repository.device import Device, check_device
from build_tools.repository.golden_examples import write_golden
from build_tools.repository.identity import stamp
from build_tools.repository.names import FIRST_VERSION, ROUTERS, TOKENIZER, TRUNK, branch_name, hidden_name
from build_tools.repository.precision import Precision
from build_tools.repository.registry import (
    Registry,
    TaskEntry,
    TrunkEntry,
    read_registry,
    version_entry,
    write_registry,
)
from build_tools.repository.runtime import Runtime
from build_tools.repository.serving_lock import SERVING_LOCK
from build_tools.repository.triton_config import (
    GRAPH_FILE,
    branch_config,
    ensemble_config,
    trunk_config,
    write_config,
    write_trunk_configs,
)
from training.branch_record import RECORD
from training.checkpoint import Checkpoint, load_checkpoint
from training.encoder import Encoder, load_encoder
from training.fingerprint import trunk_fingerprints
from training.trunk_fit import check_fingerprint

Report = Callable[[str], None]


def build(
    folders: list[Path],
    repository: Path,
    encoder_name: str | None = None,
    runtime: Runtime = Runtime.OPENVINO,
    precision: Precision = Precision.FP32,
    data: Path | None = None,
    router_instances: int | None = None,
    compacted: bool = False,
    device: Device = Device.CPU,
    report: Report = lambda _: None,
) -> Registry:
    """Builds a model repository from task checkpoints. Each becomes version 1 of its branch.

    The repository is built in a folder beside `repository` and moved in after all parity checks, registry.json last.
    encoder_name: None takes the one that the checkpoints name. data: contains a data folder for each task whose dev
    metric is checked too. router_instances: per router; None takes as many as suit this machine. compacted: then makes
    one graph of trunk and branches, see `compact`. device: on which they will run; they are checked on the CPU.
    report: told of each step.
    Raises BuildError, or TrainingError if a checkpoint cannot be used. The repository is then unchanged, unless the
    message says that it is built and only the fused graph is missing.
    """
    repository = repository.resolve()  # "." has neither a name nor a parent to stage in
    check_destination(repository)
    if is_home(repository) and router_instances is not None:
        raise BuildError(
            f"the routers in {repository} are hand-written and are not changed: set instance_group in their "
            f"config.pbtxt instead of --router-instances, or choose another --repository."
        )
    instances = choose_instances(router_instances)
    if not folders:
        raise BuildError("give at least one task checkpoint to build from.")
    check_device(device, runtime, precision)
    available_precisions(precision, runtime)  # refuses a precision before minutes of exports
    checkpoints = [load_checkpoint(folder) for folder in folders]
    dev = _dev_folders(data, [checkpoint.record.task for checkpoint in checkpoints], report)
    encoder = _common_encoder(checkpoints, encoder_name)
    fingerprints = _fitting_trunk(checkpoints, encoder)
    repository.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=repository.parent, prefix=f".{repository.name}.") as temporary:
        staged = Path(temporary) / repository.name
        staged.mkdir()
        graphs = _export_and_check(staged, checkpoints, encoder, runtime, report)
        precisions = choose_precisions(precision, graphs, dev, report)
        registry = _stage(staged, graphs, precisions, encoder, fingerprints, device)
        for router in ROUTERS:
            set_instances(staged / router, instances)
        stamp(staged)
        move_in(staged, repository)
        ensure_control_key(repository)  # here, because its permissions are those of the folder
    if compacted:
        try:
            compact(repository, NoServer(), report=report)
        except BuildError as error:
            raise BuildError(f"{repository} is built and can be served, but without a fused graph: {error}") from error
        return read_registry(repository)
    return registry


def _common_encoder(checkpoints: list[Checkpoint], name: str | None) -> Encoder:
    """Loads the encoder of all checkpoints. Raises BuildError if they name several, or if two are of one task."""
    tasks = [checkpoint.record.task for checkpoint in checkpoints]
    for task in tasks:
        if tasks.count(task) > 1:
            raise BuildError(
                f"two checkpoints are of the task {task}: a repository has one branch per task; give one of them."
            )
    names = sorted({checkpoint.record.encoder.name for checkpoint in checkpoints})
    if name is None and len(names) > 1:
        raise BuildError(
            f"the checkpoints were trained on different encoders ({', '.join(names)}): build those of one, and add the "
            "others with espalier publish --encoder. If these are names of the same encoder, choose one with --encoder."
        )
    return load_encoder(name or names[0])


def _fitting_trunk(checkpoints: list[Checkpoint], encoder: Encoder) -> list[str]:
    """Returns f(0) .. f(deepest tap) of the encoder. Raises TrainingError if a checkpoint does not fit it."""
    deepest = max(checkpoint.record.tap for checkpoint in checkpoints)
    fingerprints = trunk_fingerprints(encoder, deepest)
    for checkpoint in checkpoints:
        check_fingerprint(checkpoint.record, encoder.name, fingerprints)
    return fingerprints


def _dev_folders(data: Path | None, tasks: list[str], report: Report) -> dict[str, Path]:
    """Returns the data folder of each task that has one, and reports the tasks that have none."""
    if data is None:
        return {}
    folders = dev_folders(data, tasks)
    missing = [task for task in tasks if task not in folders]
    if missing:
        report(f"{data} has no folder for {', '.join(missing)}: checked on golden examples alone")
    return folders


def _export_and_check(
    staged: Path, checkpoints: list[Checkpoint], encoder: Encoder, runtime: Runtime, report: Report
) -> Graphs:
    """Exports trunk and branches into their version folders, and checks the logit parity of each branch."""
    hidden_size = encoder.architecture.hidden_size
    taps = sorted({checkpoint.record.tap for checkpoint in checkpoints})
    report(f"trunk: {taps[-1]} layers of {encoder.name}, taps {', '.join(map(str, taps))}")
    file = _version_folder(staged / TRUNK) / GRAPH_FILE
    trunk = Graph(file, [hidden_name(tap) for tap in taps], runtime, hidden_size)
    export_trunk(encoder, taps, file, runtime)
    loaded_trunk = trunk.load()

    branches = []
    for checkpoint in checkpoints:
        record = checkpoint.record
        file = _version_folder(staged / branch_name(record.task)) / GRAPH_FILE
        branch = Graph(file, ["logits"], runtime, hidden_size)
        export_branch(checkpoint.branch, file, runtime)
        golden = GoldenBatch(checkpoint)
        difference = check_logits(golden, loaded_trunk, branch.load())
        branches.append(ExportedBranch(checkpoint, golden, branch))
        layers = f"{record.layers} {'layer' if record.layers == 1 else 'layers'}"
        report(
            f"{record.task}: tap {record.tap}, {layers}; {len(checkpoint.golden)} golden examples equal to "
            f"{difference:.1e}"
        )
    return Graphs(trunk, taps, branches)


def _stage(
    staged: Path, graphs: Graphs, precisions: Precisions, encoder: Encoder, fingerprints: list[str], device: Device
) -> Registry:
    """Adds everything else to the repository in `staged`, around the exported graphs."""
    runtime = graphs.trunk.runtime

    for name in ROUTERS:
        copy_hand_written(name, staged / name)
    lengths = sorted({branch.checkpoint.record.max_length for branch in graphs.branches}, reverse=True)
    tokenizers = {TOKENIZER: lengths[0]} | {tokenizer_name(TRUNK, length): length for length in lengths[1:]}
    for name, max_length in tokenizers.items():
        make_tokenizer(staged / name, encoder.tokenizer, max_length)

    trunk = TrunkEntry(
        encoder=encoder.name,
        config=encoder.config,
        taps=graphs.taps,
        fingerprints=fingerprints,
        precision=precisions.trunk,
        tokenizers=tokenizers,
    )
    graphs.trunk.keep_only(precisions.trunk)
    config = trunk_config(runtime, graphs.taps, trunk.hidden_size, precisions.trunk, limits=trunk.limits, device=device)
    write_trunk_configs(staged / TRUNK, config)
    tasks = {}
    for branch in graphs.branches:
        record = branch.checkpoint.record
        version = version_entry(record, branch_name(record.task), TRUNK, precisions.branches[record.task])
        branch.graph.keep_only(version.precision)
        model, ensemble = staged / version.model, staged / record.task
        (model / FIRST_VERSION / RECORD).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
        write_golden(model / FIRST_VERSION, branch.golden.for_serving())
        write_config(model, branch_config(runtime, version, trunk.hidden_size, [1], device))
        _version_folder(ensemble)  # Triton requires a version folder, though an ensemble has no files
        write_config(ensemble, ensemble_config(record.task, 1, version, trunk.tokenizer_for(version)))
        tasks[record.task] = TaskEntry(live=1, versions={FIRST_VERSION: version})

    registry = Registry(runtime=runtime, device=device, trunks={TRUNK: trunk}, tasks=tasks)
    (staged / SERVING_LOCK).touch()
    write_registry(staged, registry)
    return registry


def _version_folder(model: Path) -> Path:
    folder = model / FIRST_VERSION
    folder.mkdir(parents=True)
    return folder
