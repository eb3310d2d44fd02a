"""The look of all plots, and their rendering to PNG."""

import io
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's palette, made for colour-blind readers. A colour has one meaning in all plots.
TEACHER = "#0072B2"
STUDENT = "#009E73"
VANILLA = "#E69F00"
MIXED = "#D55E00"
BASELINE = "#595959"
PARTS = ("#999999", "#0072B2", "#56B4E9", "#009E73", "#E69F00", "#CC79A7")

WIDTH = 9.6  # inches, the page's width
CSS_PIXELS_PER_INCH = 96
DOTS_PER_INCH = 144


def new_figure(width: float, height: float, **layout: Any) -> Figure:
    """Returns an empty figure, size in inches, outside of pyplot's global state."""
    return Figure(figsize=(width, height), layout="constrained", **layout)


def style() -> Any:
    """Returns the context in which to make axes: `with style(): ...`."""
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
    """Sets the y axis to `low`..`high` points with a margin; it spans at least 2 points, so that noise looks small."""
    margin = max(0.12 * (high - low), (2 - (high - low)) / 2, 0.2)
    axes.set_ylim(low - margin, high + margin)


def png_of(figure: Figure) -> bytes:
    """Renders a PNG without date or version, so that the same results give the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()
