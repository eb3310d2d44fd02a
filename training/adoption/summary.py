"""What a move costs and saves, in a sentence for the terminal."""

from training.adoption.adopt import Adopted
from training.checkpoint import BranchRecord


def adopted_line(adopted: Adopted, record: BranchRecord) -> str:
    """Compares a branch with its original on the dev rows."""
    unlabelled = adopted.unlabelled["dev"]
    layers = "layer" if record.layers == 1 else "layers"
    branch = f"the branch has {record.layers} {layers} of its own on tap {record.tap}"
    scores = adopted.original.get("scores", {})
    if record.metric in scores and not unlabelled:
        lost = scores[record.metric] - record.scores[record.metric]
        cost = f"{record.metric} {scores[record.metric]:.2f}, {abs(lost):.2f} {'more' if lost >= 0 else 'less'}"
    elif unlabelled == len(adopted.data.dev):
        cost = f"dev has no labels, so the score says how far the branch agrees with it in {record.metric}"
    else:
        cost = f"{unlabelled} of {len(adopted.data.dev)} dev rows have no label and count with its answers"
    return f"the original ({adopted.size}): {cost}; {branch}"
