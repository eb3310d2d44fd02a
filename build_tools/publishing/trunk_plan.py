"""Which trunk a new branch will read, and which parts of it the repository does not have yet."""

from dataclasses import dataclass

from build_tools.artefact.artefact import Artefact
from build_tools.artefact.manifest import CarriedTrunk
from build_tools.errors import BuildError
from build_tools.export.tokenizer_models import tokenizer_name
from build_tools.repository.fitting_trunk import fitting_trunk
from build_tools.repository.names import TRUNK
from build_tools.repository.registry import Registry, TrunkEntry
from training.branch_record import BranchRecord


@dataclass(frozen=True)
class TrunkPlan:
    """A trunk as it will be once the branch is published.

    name: its Triton model. entry: its future entry in the registry. present: its entry now; None for a new trunk.
    takes_carried: whether the trunk that comes with the branch becomes its next version, for a new tap, a deeper trunk
    or a new one; else the present version has all that is needed.
    """

    name: str
    entry: TrunkEntry
    present: TrunkEntry | None
    takes_carried: bool

    def still_holds(self, registry: Registry) -> bool:
        """Whether no other publish has changed this trunk or taken its name since the plan was made."""
        return registry.trunks.get(self.name) == self.present and (
            self.present is not None or self.name == _new_name(registry)
        )

    @property
    def new_tokenizers(self) -> dict[str, int]:
        """{tokenizer model that does not exist yet: the most tokens it gives}."""
        present = self.present.tokenizers if self.present else {}
        return {name: most for name, most in self.entry.tokenizers.items() if name not in present}


def plan_trunk(artefact: Artefact, registry: Registry) -> TrunkPlan:
    """Plans for a served trunk if that has the branch's tap, else for the trunk that the artefact carries.

    Raises BuildError, saying what to do, if neither can be.
    """
    record, carried = artefact.record, artefact.manifest.trunk
    fitting = fitting_trunk(record, registry)
    if fitting is not None and record.tap in registry.trunks[fitting].taps:
        trunk = registry.trunks[fitting]
        return TrunkPlan(fitting, _with_tokenizer(fitting, trunk, record), trunk, takes_carried=False)
    if carried is None:
        raise BuildError(_missing(record, registry, fitting))
    for name, trunk in registry.trunks.items():
        if carried.continues(trunk):
            _check_replaces(name, trunk, carried)
            return _next_version(name, trunk, carried, record)
    if fitting is not None:
        raise BuildError(
            f"{fitting} has become deeper than the trunk that comes with the branch: package the checkpoint again, "
            "with --for the repository as it is now."
        )
    name = _new_name(registry)
    entry = TrunkEntry(
        encoder=carried.encoder,
        config=carried.config,
        taps=carried.taps,
        fingerprints=carried.fingerprints,
        precision=carried.precision,
        tokenizers={},
    )
    return TrunkPlan(name, _with_tokenizer(name, entry, record), None, takes_carried=True)


def _missing(record: BranchRecord, registry: Registry, fitting: str | None) -> str:
    what = (
        f"{fitting} has no tap {record.tap} (it has {_listed(registry.trunks[fitting].taps)})"
        if fitting
        else f"the branch fits no trunk of the repository ({', '.join(registry.trunks)}), of which none has its "
        f"fingerprint {record.trunk_fingerprint} at tap {record.tap}"
    )
    return (
        f"{what}, and no trunk comes with it: package the checkpoint with --for this repository (its registry.json, "
        "trunk and tokenizer are enough) and, if its encoder is new here, --encoder; or publish the checkpoint itself."
    )


def _check_replaces(name: str, trunk: TrunkEntry, carried: CarriedTrunk) -> None:
    if not set(trunk.taps) <= set(carried.taps) or carried.precision is not trunk.precision:
        raise BuildError(
            f"{name} has the taps {_listed(trunk.taps)} in {trunk.precision}, and the trunk that comes with the branch "
            f"has {_listed(carried.taps)} in {carried.precision}: package the checkpoint again, with --for the "
            "repository as it is now."
        )


def _listed(taps: list[int]) -> str:
    return ", ".join(map(str, taps))


def _new_name(registry: Registry) -> str:
    return f"{TRUNK}.{registry.trunks_made + 1}"


def _next_version(name: str, trunk: TrunkEntry, carried: CarriedTrunk, record: BranchRecord) -> TrunkPlan:
    changes = {
        "encoder": carried.encoder,  # the next version is made from it
        "version": trunk.version + 1,
        "taps": carried.taps,
        "fingerprints": carried.fingerprints,
    }
    entry = _with_tokenizer(name, trunk.model_copy(update=changes), record)
    return TrunkPlan(name, entry, trunk, takes_carried=True)


def _with_tokenizer(name: str, trunk: TrunkEntry, record: BranchRecord) -> TrunkEntry:
    if record.max_length in trunk.tokenizers.values():
        return trunk
    added = {tokenizer_name(name, record.max_length): record.max_length}
    return trunk.model_copy(update={"tokenizers": trunk.tokenizers | added})
