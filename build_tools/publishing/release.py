"""What publishing does to a repository under its lock: moved in, loaded, asked, and only then live."""

from pathlib import Path

from build_tools.publishing.branch_model import model_for
from build_tools.publishing.progress import Progress
from build_tools.publishing.registry_transitions import next_version, published
from build_tools.publishing.running_server import Server
from build_tools.publishing.served_graph import check_served
from build_tools.publishing.settle import (
    held_versions,
    hold_versions,
    make_ensemble,
    put_trunk_configs,
    reconcile,
    settle_ensemble,
)
from build_tools.publishing.staged_version import StagedVersion
from build_tools.repository.audit import log_action
from build_tools.repository.manifest import add_to_manifest, hashes_of
from build_tools.repository.names import branch_name, examples_file
from build_tools.repository.registry import (
    CanaryTerms,
    Registry,
    VersionEntry,
    read_registry,
    version_entry,
    write_registry,
)
from build_tools.repository.triton_config import branch_config, ensemble_config, read_config, write_config
from training.atomic_write import rename_folder
from training.checkpoint import Checkpoint


class Change:
    """One publish, once it has its turn. registry: what the repository says now, all else being as it says."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        prepared: StagedVersion,
        repository: Path,
        registry: Registry,
        server: Server,
        progress: Progress,
    ) -> None:
        self._checkpoint = checkpoint
        self._prepared = prepared
        self._repository = repository
        self._registry = registry
        self._server = server
        self._progress = progress

    def carry_out(self, canary: CanaryTerms | None, shadow: bool, keep: int) -> int:
        """Returns the new version. What fails before registry.json is replaced is undone."""
        task, plan, at = self._checkpoint.record.task, self._prepared.plan, self._progress.at
        number = next_version(self._registry, task)
        version = self._version()
        after = published(self._registry, task, number, version, plan.entry, canary, shadow, keep, self._server.now())
        try:
            at("moving in")
            self._move_in(number, version)
            at("loading it")
            self._load(number, version)
            if self._server.is_running:
                at("golden examples on the server")
                exact = self._prepared.is_exact
                check_served(self._checkpoint, self._server, plan.name, version.model, number, exact)
            at("registry")
            write_registry(self._repository, after)
        except BaseException:
            self._undo()
            raise
        state = "canary" if canary else "shadow" if shadow else "live"
        self._progress.done(f"version {number} of {task} is published ({state}), but what follows failed")
        origin = version.origin
        details = {"checkpoint": origin.checkpoint, "data": origin.data, "data_sha256": origin.data_sha256}
        log_action(self._repository, "publish", task, number, state=state, **details)
        (self._repository / examples_file(task)).unlink(missing_ok=True)  # they are of an earlier candidate
        at("ensemble")
        settle_ensemble(self._repository, after, task, self._server)
        return number

    def _version(self) -> VersionEntry:
        record, plan = self._checkpoint.record, self._prepared.plan
        version = version_entry(record, branch_name(record.task), plan.name, self._prepared.precision)
        return model_for(self._repository, self._registry, record.task, version, plan.entry.hidden_size)

    def _undo(self) -> None:
        """Back to what registry.json says, which may be the new version if the failure came right after it."""
        try:
            reconcile(self._repository, read_registry(self._repository), self._server)
        except Exception as error:  # must not hide what failed first; the next change tries again
            self._progress.report(f"what was moved in could not be taken out again, the next change does it: {error}")

    def _move_in(self, number: int, version: VersionEntry) -> None:
        """Tokenizers and trunk first: a branch never stands there without what it reads."""
        prepared, repository = self._prepared, self._repository
        for name, folder in prepared.tokenizers.items():
            self._rename(folder, repository / name)
        if prepared.trunk is not None:
            present = repository / prepared.plan.name
            if present.is_dir():
                self._rename(prepared.trunk, present / prepared.trunk.name)
                put_trunk_configs(repository, present, read_config(prepared.trunk.parent))
            else:
                self._rename(prepared.trunk.parent, present)
        model = repository / version.model
        if model.is_dir():
            self._rename(prepared.branch, model / str(number))
        else:
            new = prepared.branch.parent
            prepared.branch.rename(new / str(number))
            width = prepared.plan.entry.hidden_size
            write_config(new, branch_config(self._registry.runtime, version, width, [number]))
            self._rename(new, model)
        task = self._checkpoint.record.task
        if not (repository / task).exists():  # a new task's; that of one just retired may still be there
            tokenizer = prepared.plan.entry.tokenizer_for(version)
            make_ensemble(repository, task, ensemble_config(task, number, version, tokenizer))

    def _rename(self, staged: Path, place: Path) -> None:
        """One rename, once the manifest knows the files: a server that starts in between finds nothing unknown."""
        root = place.relative_to(self._repository)
        hashes = hashes_of((file for file in staged.rglob("*") if file.is_file()), staged)
        add_to_manifest(self._repository, {(root / name).as_posix(): one for name, one in hashes.items()})
        rename_folder(staged, place)

    def _load(self, number: int, version: VersionEntry) -> None:
        """The new version beside those that are loaded; of these none is loaded anew."""
        prepared, server = self._prepared, self._server
        for name in prepared.tokenizers:
            server.load(name)
        if prepared.trunk is not None:
            server.load(prepared.plan.name)
        held = held_versions(self._registry).get(version.model, [])
        hold_versions(self._repository, version.model, [*held, number], server)
