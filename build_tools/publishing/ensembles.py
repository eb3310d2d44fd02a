"""The ensemble of a task names the task's live version."""

from tritonclient.grpc import model_config_pb2 as pb

from build_tools.publishing.served_repository import ServedRepository
from build_tools.repository.names import FIRST_VERSION
from build_tools.repository.staging import staging_folder
from build_tools.repository.triton_config import config_sha256, ensemble_config, write_config


def settle_ensemble(served: ServedRepository, task: str) -> None:
    """Makes the ensemble name the task's live version, in its config and on the server."""
    entry = served.registry.tasks[task]
    version = entry.live_version
    trunk = served.registry.trunks[version.trunk]
    wanted = ensemble_config(task, entry.live, version, trunk.tokenizer_for(version), trunk.fused)
    if not (served.folder / task).exists():
        _make_ensemble(served, task, wanted)
    served.put_config(served.folder / task / "config.pbtxt", wanted)
    if int(FIRST_VERSION) not in served.loaded.get(task, []) or not _is_loaded(served, task, wanted):
        served.load(task, [int(FIRST_VERSION)])


def _make_ensemble(served: ServedRepository, task: str, config: pb.ModelConfig) -> None:
    """Moves a whole folder in with one rename: Triton does not start with a model that has no config."""
    served.announce({f"{task}/config.pbtxt": config_sha256(config)})
    with staging_folder(served.folder) as staged:
        (staged / task / FIRST_VERSION).mkdir(parents=True)  # Triton requires the folder, though it is empty
        write_config(staged / task, config)
        (staged / task).rename(served.folder / task)


def _is_loaded(served: ServedRepository, task: str, wanted: pb.ModelConfig) -> bool:
    """Asks the server: the command that wrote the file may have been killed before it loaded the model."""
    loaded = served.server.config(task)
    return _steps(loaded) == _steps(wanted) and [list(one.dims) for one in loaded.output] == [
        list(one.dims) for one in wanted.output
    ]


def _steps(ensemble: pb.ModelConfig) -> list[tuple[str, int]]:
    return [(step.model_name, step.model_version) for step in ensemble.ensemble_scheduling.step]
