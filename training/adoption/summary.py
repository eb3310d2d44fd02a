"""What a move costs and saves, in a sentence for the terminal."""

from training.adoption.adopt import Adopted
from training.branch_record import BranchRecord


def original_line(adopted: Adopted, metric: str) -> str:
    """The original's size and its score on the dev rows, or what stands in for it where rows have no label."""
    unlabelled, rows = adopted.unlabelled["dev"], len(adopted.scored)
    size = f"the original ({adopted.size})"
    if unlabelled == rows:
        return f"{size}: dev has no labels, so {metric} says how far a branch agrees with it"
    score = f"{size}: {metric} {adopted.original['scores'][metric]:.2f}"
    if not unlabelled:
        return score
    return f"{score} on {rows - unlabelled} dev rows; the {unlabelled} without a label count with its answers"


def move_line(adopted: Adopted, record: BranchRecord) -> str:
    """original_line, and what the branch loses and saves."""
    layers = "layer" if record.layers == 1 else "layers"
    branch = f"the branch has {record.layers} {layers} of its own on tap {record.tap}"
    line = original_line(adopted, record.metric)
    if adopted.unlabelled["dev"]:
        return f"{line}; {branch}"
    lost = adopted.original["scores"][record.metric] - record.scores[record.metric]
    return f"{line}; {branch}, {abs(lost):.2f} points {'below' if lost >= 0 else 'above'} it"
