"""Which trunk of a repository a branch was trained on."""

from build_tools.errors import BuildError
from build_tools.repository.registry import Registry
from training.branch_record import BranchRecord


def fitting_trunk(record: BranchRecord, registry: Registry) -> str | None:
    """Returns the trunk that has the branch's fingerprint at its tap, whether or not that tap is an output; else None.

    Raises BuildError if its config computes something else.
    """
    for name, trunk in registry.trunks.items():
        if record.tap < len(trunk.fingerprints) and trunk.fingerprints[record.tap] == record.trunk_fingerprint:
            if record.encoder.config != trunk.config:
                raise BuildError(
                    f"the encoder's config in the checkpoint is not that of {name}: train the branch again."
                )
            return name
    return None
