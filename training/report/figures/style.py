"""How all plots look, and how one becomes a PNG."""

import io
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's palette, made for colour-blind readers. A colour means the same in every plot.
TEACHER = "#0072B2"
STUDENT = "#009E73"
VANILLA = "#E69F00"
MIXED = "#D55E00"
BASELINE = "#595959"
PARTS = ("#999999", "#0072B2", "#56B4E9", "#009E73")

WIDTH = 9.6  # inches, the page's width
CSS_PIXELS_PER_INCH = 96
DOTS_PER_INCH = 144


def new_figure(width: float, height: float, **layout: Any) -> Figure:
    """An empty figure of so many inches. It belongs to no window system and no global state."""
    return Figure(figsize=(width, height), layout="constrained", **layout)


def style() -> Any:
    """The context in which axes are made: `with style(): ...`."""
    return mpl.rc_context(
        {
            "font.size": 9,
            "axes.titlesize": 9.5,
            "axes.titleweight": "bold",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": "#808080",
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#e4e4e4",
            "grid.linewidth": 0.8,
            "legend.frameon": False,
            "legend.fontsize": 9,
            "lines.linewidth": 1.5,
            "lines.markersize": 5,
            "text.parse_math": False,  # a label may hold dollars
        }
    )


def pad_score_axis(axes: Axes, low: float, high: float) -> None:
    """Scores from `low` to `high` points with air around them; at least 2 points, so that noise does not look big."""
    margin = max(0.12 * (high - low), (2 - (high - low)) / 2, 0.2)
    axes.set_ylim(low - margin, high + margin)


def png_of(figure: Figure) -> bytes:
    """The figure as a PNG, without a date or a version in it: the same results give the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()
