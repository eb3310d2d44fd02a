"""Whether a checkpoint is another task under the name of a live one: its kind, its labels or its origin break."""

from build_tools.errors import BuildError
from build_tools.repository.registry import Registry, TaskEntry, VersionEntry
from training.branch_record import BranchRecord

_NAMED = 3


def redefinitions(record: BranchRecord, registry: Registry) -> dict[str, str]:
    """Returns what a checkpoint would change about its task: {"kind", "labels" or "origin": in words}.

    Labels are a set: their order belongs to each version. The origin breaks if the training data is that of another
    task here (the same folder or hub id, or the same SHA-256) and the live version's was not. Data that no task here
    has is what a new version is made for. Another encoder needs --encoder, so nobody publishes it by mistake.
    """
    if record.task not in registry.tasks:
        return {}
    live = registry.tasks[record.task].live_version
    found = {}
    if record.kind is not live.kind:
        found["kind"] = f"its kind is {record.kind}, not {live.kind}"
    elif set(record.labels) != set(live.labels):
        found["labels"] = _other_labels(record, live)
    other = _other_task(record, registry)
    if other is not None:
        found["origin"] = f"it was trained on the data of {other} ({record.training.data!r:.80})"
    return found


def check_redefinition(record: BranchRecord, registry: Registry, redefine: bool) -> None:
    """Raises BuildError if the checkpoint would redefine its task and nobody said that this is meant."""
    found = redefinitions(record, registry)
    if found and not redefine:
        raise BuildError(
            f"it is not what {record.task} is now: {'; '.join(found.values())}. Those who ask for {record.task} would "
            "get other answers: if that is meant, publish it with --redefine, else under a name of its own."
        )


def _other_task(record: BranchRecord, registry: Registry) -> str | None:
    """The task whose live version has this checkpoint's data, unless the live version of its own task has it too."""

    def has_it(entry: TaskEntry) -> bool:
        origin = entry.live_version.origin
        return origin.data == record.training.data or origin.data_sha256 == record.training.data_sha256

    if has_it(registry.tasks[record.task]):
        return None
    return next((task for task, entry in registry.tasks.items() if has_it(entry)), None)


def _other_labels(record: BranchRecord, live: VersionEntry) -> str:
    new, before = set(record.labels), set(live.labels)
    changes = [
        f"{sign} {', '.join(f'{name!r:.40}' for name in sorted(part)[:_NAMED])}" + ", ..." * (len(part) > _NAMED)
        for sign, part in (("without", before - new), ("with", new - before))
        if part
    ]
    return f"it has {len(record.labels)} labels, not {len(live.labels)} ({'; '.join(changes)})"
