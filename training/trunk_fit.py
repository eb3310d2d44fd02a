"""Checks that a branch fits a trunk."""

from collections.abc import Sequence

from training.branch_record import BranchRecord
from training.checkpoint import Checkpoint
from training.encoder import Encoder
from training.errors import TrainingError
from training.fingerprint import trunk_fingerprints


def check_trunk(checkpoint: Checkpoint, encoder: Encoder) -> None:
    """Raises TrainingError, with both fingerprints, if the branch was not trained on this encoder's trunk."""
    check_fingerprint(checkpoint.record, encoder.name, trunk_fingerprints(encoder, checkpoint.record.tap))


def check_fingerprint(record: BranchRecord, encoder_name: str, fingerprints: Sequence[str]) -> None:
    """Raises TrainingError as check_trunk does. fingerprints: f(0), f(1), ... of the encoder, for many branches."""
    found = fingerprints[record.tap] if record.tap < len(fingerprints) else "none (it has fewer layers)"
    if found != record.trunk_fingerprint:
        raise TrainingError(
            f"the checkpoint of {record.task} was trained on a trunk with fingerprint {record.trunk_fingerprint} "
            f"at tap {record.tap}; the encoder {encoder_name!r} has {found} there: use the encoder it was trained "
            f"with ({record.encoder.name!r})."
        )
