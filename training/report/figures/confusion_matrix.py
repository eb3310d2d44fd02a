"""The confusion matrix of a branch."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from training.report.figures.style import new_figure, style

_LONGEST = 24


def draw_confusion_matrix(counts: np.ndarray, labels: Sequence[str]) -> Figure:
    """Draws counts, int [C, C]: rows are true classes, columns are answers. The shade is the share of the row."""
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    names = [_short(label) for label in labels]
    longest = 0.075 * max(len(name) for name in names)
    side = max(0.38 * len(labels), 1.3)
    with style():
        figure = new_figure(side + longest + 1.0, side + longest + 0.8)
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(counts.shape):
            if counts[row, column]:
                colour = "white" if shares[row, column] > 0.55 else "black"
                axes.text(column, row, counts[row, column], ha="center", va="center", color=colour, fontsize=8)
        axes.set_xticks(range(len(names)), names, rotation=90 if max(map(len, names)) > 3 else 0)
        axes.set_yticks(range(len(names)), names)
        axes.grid(visible=False)
        axes.tick_params(length=0)
        axes.set_xlabel("answer of the branch")
        axes.set_ylabel("true class")
        return figure


def _short(label: str) -> str:
    """Cuts the middle out of a long name: names often begin alike and end differently."""
    half = _LONGEST // 2
    return label if len(label) <= _LONGEST else f"{label[:half]}…{label[1 - half :]}"
