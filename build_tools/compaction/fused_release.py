"""Staged fused graphs become part of a served repository: moved in, loaded, asked, and only then used."""

from itertools import chain, count

from build_tools.compaction.compacted_registry import compacted
from build_tools.compaction.staged_fused import StagedFused
from build_tools.progress import Progress
from build_tools.publishing.ensembles import settle_ensemble
from build_tools.publishing.served_graph import ServedGraph
from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.settle import follow_registry
from build_tools.repository.audit import log_compaction
from build_tools.repository.in_memory import held_models
from build_tools.repository.manifest import hashes_of
from build_tools.repository.names import BRANCH_PREFIX, FUSED, logits_name
from build_tools.repository.registry import FusedEntry, Registry
from build_tools.repository.triton_config import fused_config, fused_configs, put_config
from training.atomic_write import rename_folder

_GOLDEN_ROWS = 4  # of each task, on the server; all were asked before, and other commands wait


def release_fused(
    staged: list[StagedFused], served: ServedRepository, keep_loaded: int, progress: Progress
) -> dict[str, str]:
    """Makes them the graphs that routers ask. Returns {task: the model that it is in}.

    Undoes what it did if anything fails before registry.json is replaced.
    """
    after, entries = served.registry, []
    try:
        for one in staged:
            plan, model = one.plan, _free_name(served, after)
            after = compacted(after, plan.trunk, model, plan.taps, plan.tasks, keep_loaded, served.server.is_running)
            entry = after.trunks[plan.trunk].fused
            assert entry is not None
            entries.append(entry)
            progress.at(f"moving in {entry.model} version {entry.version}")
            _move_in(one, served, entry)
            progress.at(f"loading {entry.model}")
            served.load(entry.model, [entry.version])
            if served.server.is_running:
                progress.at("golden examples on the server")
                _ask(one, served, entry)
        progress.at("loading what it leaves outside")
        _load_the_rest(served, after)
        progress.at("registry")
        served.replace_registry(after)
    except BaseException:
        _undo(served, progress)
        raise
    progress.done(f"{served.folder} is compacted, but the command then failed")
    for entry in entries:
        log_compaction(served.folder, entry.model, entry.version, entry.tasks)
    progress.at("ensembles")
    for task in after.tasks:
        settle_ensemble(served, task)
    return {task: entry.model for entry in entries for task in entry.tasks}


def _free_name(served: ServedRepository, after: Registry) -> str:
    """A name without a folder: an earlier graph, of other tasks and so of another config, is served meanwhile."""
    taken = {path.name for path in served.folder.iterdir()}
    taken |= {trunk.fused.model for trunk in after.trunks.values() if trunk.fused is not None}
    return next(name for name in chain([FUSED], (f"{FUSED}.{number}" for number in count(2))) if name not in taken)


def _move_in(staged: StagedFused, served: ServedRepository, entry: FusedEntry) -> None:
    """With one rename, after the manifest tells of the files: a server that starts in between finds no unknown one."""
    model = staged.folder.with_name(f"{staged.folder.name}.model")
    model.mkdir()
    staged.folder.rename(model / str(entry.version))
    trunk = served.registry.trunks[staged.plan.trunk]
    config = fused_config(
        served.registry.runtime, trunk, entry, staged.versions, staged.parameters, served.registry.device
    )
    for file, one in fused_configs(model, config).items():
        put_config(model, file, one)
    hashes = hashes_of((file for file in model.rglob("*") if file.is_file()), model)
    served.announce({f"{entry.model}/{name}": digest for name, digest in hashes.items()})
    rename_folder(model, served.folder / entry.model)


def _ask(staged: StagedFused, served: ServedRepository, entry: FusedEntry) -> None:
    graph = ServedGraph(served.server, entry.model, entry.version)
    for task, golden in staged.golden.items():
        examples, name = golden.first(_GOLDEN_ROWS), logits_name(task)
        staged.check(task, graph.run(examples.inputs, [name])[name], examples)


def _load_the_rest(served: ServedRepository, after: Registry) -> None:
    """Branches that an earlier fused graph computed and this one does not, and the trunk if they need it."""
    for model, versions in held_models(after).items():
        if model.startswith(BRANCH_PREFIX):
            for version in versions:
                served.hold_also(model, version)
        elif model not in served.loaded:
            served.load(model, versions)


def _undo(served: ServedRepository, progress: Progress) -> None:
    """Goes back to what registry.json says, which may be the new one if the failure came right after it."""
    try:
        follow_registry(ServedRepository(served.folder, served.server))
    except Exception as error:  # must not hide the first failure; the next change tries again
        progress.report(f"the new files could not be removed, the next change will remove them: {error}")
