"""Which trunk a branch will read, and which parts of it do not exist yet."""

from dataclasses import dataclass

from build_tools.errors import BuildError
from build_tools.export.tokenizer_models import tokenizer_name
from build_tools.repository.names import TRUNK
from build_tools.repository.precision import Precision
from build_tools.repository.registry import Registry, TrunkEntry
from training.checkpoint import BranchRecord
from training.encoder import Encoder, load_encoder
from training.fingerprint import trunk_fingerprints
from training.trunk_fit import check_fingerprint


@dataclass(frozen=True)
class TrunkPlan:
    """A trunk as it will be once the branch is published.

    name: its Triton model. entry: its future entry in the registry. present: its entry now; None for a new trunk.
    encoder: the source of a new version, for a new tap, a deeper trunk or a new one; None if the present version does.
    """

    name: str
    entry: TrunkEntry
    present: TrunkEntry | None
    encoder: Encoder | None

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


def plan_trunk(record: BranchRecord, registry: Registry, encoder_name: str | None) -> TrunkPlan:
    """Plans for an existing trunk if the branch fits one, else for one with more taps or layers, else for a new one.

    A branch fits a trunk that has the branch's own fingerprint at its tap. encoder_name: the encoder to load if weights
    are needed that the repository does not have; None loads the trunk's own encoder and allows no new trunk.
    Raises BuildError or TrainingError if the branch fits no trunk and was not trained on the given encoder.
    """
    for name, trunk in registry.trunks.items():
        if record.tap < len(trunk.fingerprints) and trunk.fingerprints[record.tap] == record.trunk_fingerprint:
            if record.encoder.config != trunk.config:
                raise BuildError(
                    f"the encoder's config in the checkpoint is not that of {name}: train the branch again."
                )
            if record.tap in trunk.taps:
                return TrunkPlan(name, _with_tokenizer(name, trunk, record), trunk, None)
            encoder = load_encoder(encoder_name or trunk.encoder)
            fingerprints = trunk_fingerprints(encoder, len(trunk.fingerprints) - 1)
            if fingerprints != trunk.fingerprints:
                raise BuildError(
                    f"{name} needs a new version for tap {record.tap}, but it was not made from the encoder "
                    f"{encoder.name!r}: give the right one as --encoder."
                )
            return _next_version(name, trunk, record, encoder, fingerprints)
    for name, trunk in registry.trunks.items():
        if record.tap >= len(trunk.fingerprints) and encoder_name in (None, trunk.encoder):
            encoder = load_encoder(trunk.encoder)
            fingerprints = trunk_fingerprints(encoder, min(record.tap, encoder.layers))
            deeper = fingerprints[: len(trunk.fingerprints)] == trunk.fingerprints
            if deeper and fingerprints[-1] == record.trunk_fingerprint and record.encoder.config == encoder.config:
                return _next_version(name, trunk, record, encoder, fingerprints)
    if encoder_name is None:
        raise BuildError(
            f"the checkpoint of {record.task} fits no trunk of the repository ({', '.join(registry.trunks)}): its "
            f"fingerprint at tap {record.tap} is {record.trunk_fingerprint}. To add a trunk for it, give its encoder "
            f"({record.encoder.name!r}) as --encoder."
        )
    encoder = load_encoder(encoder_name)
    fingerprints = trunk_fingerprints(encoder, record.tap)
    check_fingerprint(record, encoder.name, fingerprints)
    for name, trunk in registry.trunks.items():  # the same encoder under another name
        if fingerprints[: len(trunk.fingerprints)] == trunk.fingerprints:
            return _next_version(name, trunk, record, encoder, fingerprints)
    name = _new_name(registry)
    entry = TrunkEntry(
        encoder=encoder.name,
        config=encoder.config,
        taps=[record.tap],
        fingerprints=fingerprints,
        precision=Precision.FP32,
        tokenizers={},
    )
    return TrunkPlan(name, _with_tokenizer(name, entry, record), None, encoder)


def _new_name(registry: Registry) -> str:
    return f"{TRUNK}.{registry.trunks_made + 1}"


def _next_version(
    name: str, trunk: TrunkEntry, record: BranchRecord, encoder: Encoder, fingerprints: list[str]
) -> TrunkPlan:
    changes = {
        "encoder": encoder.name,  # the next version is made from it
        "version": trunk.version + 1,
        "taps": sorted({*trunk.taps, record.tap}),
        "fingerprints": fingerprints,
    }
    return TrunkPlan(name, _with_tokenizer(name, trunk.model_copy(update=changes), record), trunk, encoder)


def _with_tokenizer(name: str, trunk: TrunkEntry, record: BranchRecord) -> TrunkEntry:
    if record.max_length in trunk.tokenizers.values():
        return trunk
    added = {tokenizer_name(name, record.max_length): record.max_length}
    return trunk.model_copy(update={"tokenizers": trunk.tokenizers | added})
