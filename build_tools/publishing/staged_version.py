"""A version beside the repository, with the trunk and the tokenizers that it needs there."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from build_tools.artefact.artefact import Artefact
from build_tools.errors import BuildError
from build_tools.export.tokenizer_models import make_tokenizer
from build_tools.progress import Progress
from build_tools.publishing.staged_trunk import check_next_version, stage_trunk
from build_tools.publishing.trunk_plan import TrunkPlan, plan_trunk
from build_tools.repository.device import check_device
from build_tools.repository.golden_examples import GoldenExamples
from build_tools.repository.names import FIRST_VERSION, TOKENIZER_FILE
from build_tools.repository.precision import Precision
from build_tools.repository.registry import Registry
from training.branch_record import BranchRecord
from training.tokenizer_form import tokenizer_json


@dataclass(frozen=True)
class StagedVersion:
    """Folders that are ready to be moved into a repository.

    record: the version's branch.json. golden: its golden examples. artefact: the SHA-256 that names its artefact.
    branch: the version's folder. trunk: the folder of a new trunk version, None if the trunk stays as it is.
    tokenizers: {new tokenizer model: its folder}. precision: of the branch.
    """

    record: BranchRecord
    golden: GoldenExamples
    artefact: str
    plan: TrunkPlan
    branch: Path
    trunk: Path | None
    tokenizers: dict[str, Path]
    precision: Precision

    @property
    def is_exact(self) -> bool:
        """Whether trunk and branch compute in float32, so that logits have to agree to 1e-3."""
        return (self.plan.entry.precision, self.precision) == (Precision.FP32, Precision.FP32)


def stage_version(
    artefact: Artefact, repository: Path, registry: Registry, staging: Path, progress: Progress
) -> StagedVersion:
    """Makes what the repository lacks for the branch in the folder `staging`: a trunk, tokenizers.

    Raises BuildError if the artefact does not fit the repository, or if a trunk that comes with it differs from the one
    that is served.
    """
    _check_graph(artefact, registry)
    plan = plan_trunk(artefact, registry)
    tokenizer = _tokenizer(artefact, repository, plan)
    trunk: Path | None = None
    if plan.takes_carried:
        taps = ", ".join(map(str, plan.entry.taps))
        progress.at(f"{plan.name} version {plan.entry.version} with taps {taps}")
        trunk = stage_trunk(artefact, plan, registry, staging / "new_trunk")
        if plan.present is not None:
            check_next_version(artefact, repository, registry, plan, trunk)
    tokenizers = {name: staging / name for name in plan.new_tokenizers}
    for name, most in plan.new_tokenizers.items():
        make_tokenizer(tokenizers[name], tokenizer, most)
    return StagedVersion(
        artefact.record,
        artefact.golden,
        artefact.manifest.sha256,
        plan,
        artefact.branch,
        trunk,
        tokenizers,
        artefact.manifest.precision,
    )


def _check_graph(artefact: Artefact, registry: Registry) -> None:
    made_for = artefact.manifest.runtime
    if made_for is not registry.runtime:
        raise BuildError(
            f"its graph is for {made_for}, and the repository runs {registry.runtime}: package the checkpoint again "
            f"with --runtime {registry.runtime}."
        )
    check_device(registry.device, registry.runtime, artefact.manifest.precision)


def _tokenizer(artefact: Artefact, repository: Path, plan: TrunkPlan) -> Tokenizer:
    """Returns the trunk's tokenizer. Raises BuildError if training did not tokenize texts as it does."""
    if plan.present is None:
        file = artefact.trunk / TOKENIZER_FILE
    else:
        file = repository / next(iter(plan.present.tokenizers)) / FIRST_VERSION / TOKENIZER_FILE
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # tokenizers raises a plain Exception
        raise BuildError(f"{file.name} of {plan.name} cannot be read ({error!s:.200}): package it again.") from error
    if hashlib.sha256(tokenizer_json(tokenizer).encode()).hexdigest() != artefact.manifest.tokenizer_sha256:
        raise BuildError(
            f"the branch was trained with another tokenizer than that of {plan.name}: train it on that encoder, or "
            "package it with the version of the package tokenizers that the server has."
        )
    return tokenizer
