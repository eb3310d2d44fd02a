"""Whether a branch fits a trunk."""

from training.checkpoint import Checkpoint
from training.encoder import Encoder
from training.errors import TrainingError
from training.fingerprint import trunk_fingerprints


def check_trunk(checkpoint: Checkpoint, encoder: Encoder) -> None:
    """Raises TrainingError, naming both fingerprints, if the branch was not trained on this encoder's trunk."""
    record = checkpoint.record
    chain = trunk_fingerprints(encoder, min(record.tap, encoder.layers))
    found = chain[record.tap] if record.tap < len(chain) else "none (it has fewer layers)"
    if found != record.trunk_fingerprint:
        raise TrainingError(
            f"the checkpoint of {record.task} was trained on a trunk with fingerprint {record.trunk_fingerprint} "
            f"at tap {record.tap}; the encoder {encoder.name!r} has {found} there: use the encoder it was trained "
            f"with ({record.encoder.name!r})."
        )
