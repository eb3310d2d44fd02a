"""What `espalier package` does: a task checkpoint -> one file, on a machine that serves nothing."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from build_tools.artefact.artefact import Artefact
from build_tools.artefact.seal import check_new, seal
from build_tools.packaging.package import package
from build_tools.packaging.reference_trunk import trunk_of_encoder, trunk_of_repository
from build_tools.progress import Progress
from build_tools.repository.device import check_device
from build_tools.repository.precision import Precision
from build_tools.repository.registry import Registry, read_registry
from build_tools.repository.runtime import Runtime
from training.checkpoint import load_checkpoint


def package_file(
    checkpoint: Path,
    file: Path,
    repository: Path | None = None,
    runtime: Runtime = Runtime.OPENVINO,
    precision: Precision | None = None,
    encoder: str | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> Artefact:
    """Packages the task checkpoint in a folder into the new `file`. Returns what it holds; its folder is gone.

    repository: the branch is checked on its trunk, and the trunk goes with the branch if that lacks the branch's tap.
    It is only read: a copy of registry.json, the trunk and the tokenizer will do. runtime: without a repository, what
    the servers run. precision: None takes that of the live version in the repository, or fp32. encoder: another place
    for the encoder that the checkpoint or the repository's trunk names.
    Raises BuildError, which names the step, if anything fails. Then there is no file.
    """
    progress = Progress(f"{checkpoint} is not packaged: it failed", report)
    with progress.failures_told(), tempfile.TemporaryDirectory(prefix="espalier-") as temporary:
        progress.at("output")
        check_new(file)
        progress.at("checkpoint")
        loaded = load_checkpoint(checkpoint)
        folder = Path(temporary)
        progress.at("trunk")
        if repository is None:
            trunk = trunk_of_encoder(loaded.record, encoder, runtime)
        else:
            registry = read_registry(repository)
            precision = branch_precision(registry, loaded.record.task, precision)
            trunk = trunk_of_repository(loaded.record, repository, registry, encoder, folder, progress)
        artefact = package(loaded, trunk, precision or Precision.FP32, folder, progress)
        progress.at("writing it")
        seal(folder, file)
        return artefact


def branch_precision(registry: Registry, task: str, wanted: Precision | None) -> Precision:
    """Returns the precision of a new branch for a repository: `wanted`, or that of the task's live version.

    A new task gets the default of the repository's device. Raises BuildError if the device does not run it.
    """
    if wanted is None:
        known = registry.tasks.get(task)
        wanted = known.live_version.precision if known else registry.device.precision
    check_device(registry.device, registry.runtime, wanted)
    return wanted
