"""A staged version becomes part of a served repository: moved in, loaded, checked, and only then live."""

from build_tools.golden.token_parity import check_tokens
from build_tools.progress import Progress
from build_tools.publishing.asked_graphs import asked_graphs
from build_tools.publishing.branch_model import model_for
from build_tools.publishing.ensembles import settle_ensemble
from build_tools.publishing.move_in import move_in
from build_tools.publishing.redefinition import check_redefinition, redefinitions
from build_tools.publishing.registry_transitions import next_version, published
from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.settle import follow_registry
from build_tools.publishing.staged_version import StagedVersion
from build_tools.repository.audit import PUBLISH, log_action
from build_tools.repository.names import FIRST_VERSION, branch_name, examples_file
from build_tools.repository.registry import CanaryTerms, VersionEntry, version_entry


def release(
    staged: StagedVersion,
    served: ServedRepository,
    canary: CanaryTerms | None,
    shadow: bool,
    keep: int,
    redefine: bool,
    progress: Progress,
) -> int:
    """Makes a staged version live, or a canary or shadow. Returns its number.

    Undoes what it did if anything fails before registry.json is replaced.
    """
    record, entry, now = staged.record, staged.plan.entry, served.server.now()
    task = record.task
    number = next_version(served.registry, task)
    check_redefinition(record, served.registry, redefine)  # another version may be live by now
    redefined = sorted(redefinitions(record, served.registry))
    version = _version_entry(staged, served)
    after = published(served.registry, task, number, version, entry, canary, shadow, keep, now)
    try:
        progress.at("moving in")
        move_in(staged, served, version, number)
        progress.at("loading it")
        _load(staged, served, version, number)
        if served.server.proves:
            progress.at("the servers of the fleet")
        else:
            progress.at("golden examples on the server" if served.server.is_running else "golden examples")
            trunk, branch = asked_graphs(served, after, version, number)
            check_tokens(staged.golden, record.kind, record.tap, trunk, branch, staged.is_exact)
            progress.at("registry")
        served.replace_registry(after)
    except BaseException:
        _undo(served, progress)
        raise
    state = "canary" if canary else "shadow" if shadow else "live"
    progress.done(f"version {number} of {task} is published ({state}), but the command then failed")
    origin = version.origin
    details = {"checkpoint": origin.checkpoint, "artefact": staged.artefact}
    details |= {"data": origin.data, "data_sha256": origin.data_sha256}
    if redefined:
        details["redefines"] = ", ".join(redefined)
    log_action(served.folder, PUBLISH, task, number, state=state, **details)
    (served.folder / examples_file(task)).unlink(missing_ok=True)  # those of an earlier candidate
    progress.at("ensemble")
    settle_ensemble(served, task)
    return number


def _version_entry(staged: StagedVersion, served: ServedRepository) -> VersionEntry:
    record, plan = staged.record, staged.plan
    version = version_entry(record, branch_name(record.task), plan.name, staged.precision)
    return model_for(served.folder, served.registry, record.task, version, plan.entry.hidden_size)


def _load(staged: StagedVersion, served: ServedRepository, version: VersionEntry, number: int) -> None:
    """Loads the new version beside the loaded ones, none of which is loaded again."""
    for name in staged.tokenizers:
        served.load(name, [int(FIRST_VERSION)])
    if staged.trunk is not None:
        served.load(staged.plan.name, [staged.plan.entry.version])
    else:
        served.hold_source(version.trunk, version.tap)
    served.hold_also(version.model, number)


def _undo(served: ServedRepository, progress: Progress) -> None:
    """Goes back to what registry.json says, which may be the new version if the failure came right after it."""
    try:
        follow_registry(ServedRepository(served.folder, served.server))
    except Exception as error:  # must not hide the first failure; the next change tries again
        progress.report(f"the new files could not be removed, the next change will remove them: {error}")
