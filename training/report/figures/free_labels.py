"""Places names beside points so that none lies on another name, on a point or on a line across."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.transforms import Bbox

# Where a name may stand, in points from its own, the best place first: right, left, above, below, then farther out.
_PLACES = [
    (distance * x, distance * y)
    for distance in (9, 16, 26, 38, 52)
    for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1), (0.8, 0.8), (-0.8, 0.8), (0.8, -0.8), (-0.8, -0.8))
]
_MARKER = 6.0  # pixels around a point that stay free
_STEPS = 20  # points of each part of a path that stay free


class Named(NamedTuple):
    """A point with its name, in the axes' data. colour: of the name."""

    x: float
    y: float
    name: str
    colour: str


def add_labels(
    axes: Axes, named: Sequence[Named], heights: Sequence[float] = (), path: Sequence[tuple[float, float]] = ()
) -> None:
    """Writes each name at the first place that is free, and draws a thin line to its point from the farther places.

    heights: of lines across the whole panel, which no name may touch. path: the corners of another line to keep off.
    The axes must have their limits.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    FigureCanvasAgg(figure)  # a canvas that can measure text
    figure.draw_without_rendering()
    inside = axes.get_window_extent()
    points = [axes.transData.transform((one.x, one.y)) for one in named]
    taken = [Bbox.from_extents(x - _MARKER, y - _MARKER, x + _MARKER, y + _MARKER) for x, y in points]
    corners = [axes.transData.transform(corner) for corner in path]
    for start, end in itertools.pairwise(corners):
        for step in range(_STEPS + 1):
            x, y = start + (end - start) * step / _STEPS
            taken.append(Bbox.from_extents(x - 1, y - 1, x + 1, y + 1))
    for height in heights:
        y = axes.transData.transform((0, height))[1]
        taken.append(Bbox.from_extents(inside.x0, y - 2, inside.x1, y + 2))
    for one in named:
        label = axes.annotate(
            one.name, (one.x, one.y), (0, 0), textcoords="offset points", ha="center", va="center", color=one.colour
        )
        best: tuple[float, tuple[float, float], Bbox] | None = None
        for x, y in _PLACES:
            label.set_position((x, y))
            label.set_horizontalalignment("left" if x > 0 else "right" if x < 0 else "center")
            box = label.get_window_extent()
            overlap = sum(_shared_area(box, other) for other in taken) + 10 * _area_outside(box, inside)
            if best is None or overlap < best[0]:
                best = overlap, (x, y), box
            if overlap == 0:
                break
        assert best is not None
        _, place, box = best
        label.set_position(place)
        label.set_horizontalalignment("left" if place[0] > 0 else "right" if place[0] < 0 else "center")
        if max(map(abs, place)) > 20:
            axes.annotate(
                "",
                (one.x, one.y),
                place,
                textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": "#808080"},
            )
        taken.append(box)


def _shared_area(one: Bbox, other: Bbox) -> float:
    shared = Bbox.intersection(one, other)
    return 0.0 if shared is None else float(shared.width * shared.height)


def _area_outside(box: Bbox, frame: Bbox) -> float:
    return float(box.width * box.height) - _shared_area(box, frame)
