"""A checkpoint exported beside the repository, and checked on the trunk that it will read."""

from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from build_tools.errors import BuildError
from build_tools.export.onnx_export import export_branch
from build_tools.export.tokenizer_models import make_tokenizer
from build_tools.golden.golden_batch import GoldenBatch
from build_tools.golden.logit_parity import check_logits
from build_tools.golden.runnable import Runnable
from build_tools.precision.choose_for_branch import choose_branch_precision
from build_tools.precision.graph import Graph
from build_tools.publishing.progress import Progress
from build_tools.publishing.staged_trunk import check_same_states, export_trunk_version, load_served_trunk
from build_tools.publishing.trunk_plan import TrunkPlan
from build_tools.repository.golden_examples import write_golden
from build_tools.repository.names import FIRST_VERSION, TOKENIZER_FILE
from build_tools.repository.precision import Precision
from build_tools.repository.runtime import Runtime
from build_tools.repository.triton_config import GRAPH_FILE
from training.checkpoint import RECORD, Checkpoint
from training.encoder import tokenizer_json


@dataclass(frozen=True)
class StagedVersion:
    """Folders that are ready to be moved into a repository.

    golden: the checkpoint's golden examples.
    branch: the version's folder. trunk: the folder of a new trunk version, None if the trunk stays as it is.
    tokenizers: {new tokenizer model: its folder}. precision: of the branch.
    """

    golden: GoldenBatch
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
    checkpoint: Checkpoint,
    repository: Path,
    runtime: Runtime,
    plan: TrunkPlan,
    precision: Precision,
    staging: Path,
    progress: Progress,
) -> StagedVersion:
    """Exports the branch, and the trunk and tokenizers that `plan` asks for, into the new folder `staging`.

    Raises BuildError if a graph fails its parity check, or if the tokenizer is not that of the trunk.
    """
    golden = GoldenBatch(checkpoint)
    trunk_folder: Path | None = None
    trunk: Runnable
    if plan.encoder is None:
        trunk = load_served_trunk(repository, plan, runtime)
    else:
        taps = ", ".join(map(str, plan.entry.taps))
        progress.at(f"export of {plan.name} version {plan.entry.version} with taps {taps}")
        trunk_folder = staging / "trunk" / str(plan.entry.version)
        trunk = export_trunk_version(plan.encoder, plan, runtime, trunk_folder)
        if plan.present is not None:
            check_same_states(golden, load_served_trunk(repository, plan, runtime), trunk, plan)
    progress.at("export of the branch")
    folder = staging / "branch" / "version"
    folder.mkdir(parents=True)
    branch = Graph(folder / GRAPH_FILE, ["logits"], runtime, plan.entry.hidden_size)
    export_branch(checkpoint.branch, branch.file, runtime)
    (folder / RECORD).write_text(checkpoint.record.model_dump_json(indent=2) + "\n", encoding="utf-8")

    progress.at("golden examples before it is moved in")
    _check_tokenizer(checkpoint, _tokenizer_of(repository, plan), plan.name)
    if plan.entry.precision is Precision.FP32:
        check_logits(golden, trunk, branch.load())
    chosen = choose_branch_precision(precision, golden, branch, trunk, plan.entry.precision, progress.report)
    branch.settle(chosen)
    write_golden(folder, golden.for_serving())
    tokenizers = {name: staging / name for name in plan.new_tokenizers}
    for name, most in plan.new_tokenizers.items():
        make_tokenizer(tokenizers[name], checkpoint.tokenizer, most)
    return StagedVersion(golden, plan, folder, trunk_folder, tokenizers, chosen)


def _tokenizer_of(repository: Path, plan: TrunkPlan) -> Tokenizer:
    """Loads the tokenizer of the trunk's encoder."""
    if plan.present is None:
        assert plan.encoder is not None
        return plan.encoder.tokenizer
    return Tokenizer.from_file(str(repository / next(iter(plan.present.tokenizers)) / FIRST_VERSION / TOKENIZER_FILE))


def _check_tokenizer(checkpoint: Checkpoint, tokenizer: Tokenizer, trunk: str) -> None:
    """Checks that the server tokenizes texts as the training of the branch did."""
    if tokenizer_json(tokenizer) != tokenizer_json(checkpoint.tokenizer):
        raise BuildError(
            f"the checkpoint's {TOKENIZER_FILE} is not the tokenizer of {trunk}: train the branch on that encoder."
        )
