"""Whether a repository has the trunk that a branch reads, and if not, which one has to come with the branch."""

from dataclasses import dataclass

from build_tools.errors import BuildError
from build_tools.repository.fitting_trunk import fitting_trunk
from build_tools.repository.precision import Precision
from build_tools.repository.registry import Registry, TrunkEntry
from training.branch_record import BranchRecord
from training.encoder import Encoder, load_encoder
from training.fingerprint import trunk_fingerprints
from training.trunk_fit import check_fingerprint


@dataclass(frozen=True)
class NeededTrunk:
    """A trunk that the repository does not have: a served one with more taps or layers, or a new one.

    encoder: where its weights are. taps: those of the served trunk that it replaces, if there is one, and the branch's.
    fingerprints: f(0) .. f(deepest tap).
    """

    encoder: Encoder
    taps: list[int]
    fingerprints: list[str]
    precision: Precision


def needed_trunk(record: BranchRecord, registry: Registry, encoder_name: str | None) -> str | NeededTrunk:
    """Returns the name of the trunk that is served with the branch's tap, or the trunk that has to be made.

    encoder_name: the encoder to load if weights are needed that the repository does not have; None loads the trunk's
    own encoder and allows no new trunk.
    Raises BuildError or TrainingError if the branch fits no trunk and was not trained on the given encoder.
    """
    fitting = fitting_trunk(record, registry)
    if fitting is not None:
        trunk = registry.trunks[fitting]
        if record.tap in trunk.taps:
            return fitting
        encoder = load_encoder(encoder_name or trunk.encoder)
        fingerprints = trunk_fingerprints(encoder, len(trunk.fingerprints) - 1)
        if fingerprints != trunk.fingerprints:
            raise BuildError(
                f"{fitting} needs a new version for tap {record.tap}, but it was not made from the encoder "
                f"{encoder.name!r}: give the right one as --encoder."
            )
        return _more_of(trunk, record, encoder, fingerprints)
    for trunk in registry.trunks.values():
        if record.tap >= len(trunk.fingerprints) and encoder_name in (None, trunk.encoder):
            encoder = load_encoder(trunk.encoder)
            fingerprints = trunk_fingerprints(encoder, min(record.tap, encoder.layers))
            deeper = fingerprints[: len(trunk.fingerprints)] == trunk.fingerprints
            if deeper and fingerprints[-1] == record.trunk_fingerprint and record.encoder.config == encoder.config:
                return _more_of(trunk, record, encoder, fingerprints)
    if encoder_name is None:
        raise BuildError(
            f"the checkpoint of {record.task} fits no trunk of the repository ({', '.join(registry.trunks)}): its "
            f"fingerprint at tap {record.tap} is {record.trunk_fingerprint}. To add a trunk for it, give its encoder "
            f"({record.encoder.name!r}) as --encoder."
        )
    encoder = load_encoder(encoder_name)
    fingerprints = trunk_fingerprints(encoder, record.tap)
    check_fingerprint(record, encoder.name, fingerprints)
    for trunk in registry.trunks.values():  # the same encoder under another name
        if fingerprints[: len(trunk.fingerprints)] == trunk.fingerprints:
            return _more_of(trunk, record, encoder, fingerprints)
    return NeededTrunk(encoder, [record.tap], fingerprints, Precision.FP32)


def _more_of(trunk: TrunkEntry, record: BranchRecord, encoder: Encoder, fingerprints: list[str]) -> NeededTrunk:
    return NeededTrunk(encoder, sorted({*trunk.taps, record.tap}), fingerprints, trunk.precision)
