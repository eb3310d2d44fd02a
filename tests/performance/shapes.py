"""The suites that are measured: which tasks, their taps and their layers.

Random weights compute as long as trained ones, so shapes stand for suites of BERT-base that nobody has to train first.
"""

from dataclasses import dataclass

from training.kinds import Kind

MAX_LENGTH = 128  # tokens that a branch reads


@dataclass(frozen=True)
class BranchShape:
    """One task's branch."""

    task: str
    tap: int
    layers: int
    labels: int
    kind: Kind = Kind.CLASSIFICATION


@dataclass(frozen=True)
class Shape:
    """An encoder and the branches on its trunk."""

    name: str
    encoder_layers: int
    hidden_size: int
    branches: tuple[BranchShape, ...]

    @property
    def layers(self) -> int:
        """Layers computed for a text with all tasks: the trunk's and all branches'."""
        return max(branch.tap for branch in self.branches) + sum(branch.layers for branch in self.branches)

    @property
    def single_task_layers(self) -> int:
        """Layers computed with one whole encoder per task."""
        return self.encoder_layers * len(self.branches)


# The paper's mixed row for c = 1 (tables 1 and 2): 33 layers for 8 tasks, each tap 12 - L with the task's best L. All
# read one text here, so that every text is one sequence, as in the paper's count of layers.
GLUE = Shape(
    "glue",
    encoder_layers=12,
    hidden_size=768,
    branches=(
        BranchShape("qnli", tap=2, layers=3, labels=2),
        BranchShape("rte", tap=7, layers=5, labels=2),
        BranchShape("qqp", tap=2, layers=1, labels=2),
        BranchShape("mnli", tap=4, layers=3, labels=3),
        BranchShape("sst2", tap=6, layers=2, labels=2),
        BranchShape("mrpc", tap=7, layers=3, labels=2),
        BranchShape("cola", tap=4, layers=8, labels=2),
        BranchShape("stsb", tap=4, layers=1, labels=2),
    ),
)

# The paper's production suite (appendix E): 21 tasks in 40 layers, a trunk of 8 and 32 layers of branches. Its taps are
# not printed; they are spread here over three. Each task: which tap, layers, labels, kind.
_TASKS_OF_AN_ASSISTANT = [
    (0, 1, 2, Kind.CLASSIFICATION),
    (0, 1, 5, Kind.CLASSIFICATION),
    (0, 1, 12, Kind.CLASSIFICATION),
    (0, 2, 20, Kind.CLASSIFICATION),
    (0, 2, 50, Kind.CLASSIFICATION),
    (1, 1, 2, Kind.CLASSIFICATION),
    (1, 1, 3, Kind.CLASSIFICATION),
    (1, 1, 7, Kind.CLASSIFICATION),
    (1, 1, 28, Kind.MULTI_LABEL),
    (1, 2, 64, Kind.CLASSIFICATION),
    (1, 2, 77, Kind.CLASSIFICATION),
    (1, 3, 25, Kind.TAGGING),
    (2, 1, 2, Kind.CLASSIFICATION),
    (2, 1, 2, Kind.CLASSIFICATION),
    (2, 1, 4, Kind.CLASSIFICATION),
    (2, 1, 6, Kind.CLASSIFICATION),
    (2, 1, 10, Kind.CLASSIFICATION),
    (2, 2, 18, Kind.CLASSIFICATION),
    (2, 2, 26, Kind.CLASSIFICATION),
    (2, 2, 150, Kind.CLASSIFICATION),
    (2, 3, 73, Kind.TAGGING),
]


def _assistant(taps: tuple[int, int, int], most_layers: int) -> tuple[BranchShape, ...]:
    return tuple(
        BranchShape(f"task_{number:02}", taps[tap], min(layers, most_layers), labels, kind)
        for number, (tap, layers, labels, kind) in enumerate(_TASKS_OF_AN_ASSISTANT)
    )


ASSISTANT = Shape("assistant", encoder_layers=12, hidden_size=768, branches=_assistant((4, 6, 8), most_layers=3))

# The same tasks on an encoder as small as MiniLM: 34 layers.
MINILM = Shape("minilm", encoder_layers=6, hidden_size=384, branches=_assistant((2, 3, 4), most_layers=2))

SHAPES = {shape.name: shape for shape in (GLUE, ASSISTANT, MINILM)}
