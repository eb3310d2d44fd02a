"""Whether a checkpoint is another task under the name of a live one: its kind, its labels or its origin break."""

import re

from build_tools.errors import BuildError
from build_tools.repository.registry import Registry, VersionEntry
from training.checkpoint import BranchRecord

_NAMED = 3
_SEPARATORS = re.compile(r"[/\\:]")


def redefinitions(record: BranchRecord, registry: Registry) -> dict[str, str]:
    """Returns what a checkpoint would change about its task: {"kind", "labels" or "origin": in words}.

    Labels are a set: their order belongs to each version. The origin is the name of the training data, which is the
    last part of the folder or of the hub's id. New rows in a folder of that name, another seed and another teacher are
    what a new version is made for. Another encoder needs --encoder, so nobody publishes it by mistake.
    """
    if record.task not in registry.tasks:
        return {}
    live = registry.tasks[record.task].live_version
    found = {}
    if record.kind is not live.kind:
        found["kind"] = f"its kind is {record.kind}, not {live.kind}"
    elif set(record.labels) != set(live.labels):
        found["labels"] = _other_labels(record, live)
    if data_name(record.training.data) != data_name(live.origin.data):
        found["origin"] = (
            f"it was trained on {data_name(record.training.data)!r:.80}, the live version on "
            f"{data_name(live.origin.data)!r:.80}"
        )
    return found


def check_redefinition(record: BranchRecord, registry: Registry, redefine: bool) -> None:
    """Raises BuildError if the checkpoint would redefine its task and nobody said that this is meant."""
    found = redefinitions(record, registry)
    if found and not redefine:
        raise BuildError(
            f"it is not what {record.task} is now: {'; '.join(found.values())}. Those who ask for {record.task} would "
            "get other answers: if that is meant, publish it with --redefine, else under a name of its own."
        )


def data_name(data: str) -> str:
    """Returns the last part of a folder or a hub id."""
    return next((part for part in reversed(_SEPARATORS.split(data)) if part), "")


def _other_labels(record: BranchRecord, live: VersionEntry) -> str:
    new, before = set(record.labels), set(live.labels)
    changes = [
        f"{sign} {', '.join(f'{name!r:.40}' for name in sorted(part)[:_NAMED])}" + ", ..." * (len(part) > _NAMED)
        for sign, part in (("without", before - new), ("with", new - before))
        if part
    ]
    return f"it has {len(record.labels)} labels, not {len(live.labels)} ({'; '.join(changes)})"
