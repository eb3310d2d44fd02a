"""Which layers were computed for the answers: the trunk once, up to the deepest tap, and each branch on its tap."""

from collections.abc import Mapping
from html import escape

from clients.playground.markup import note
from clients.served_tasks import ServedVersion


def layers(places: Mapping[str, ServedVersion]) -> str:
    """places: {task: the version that answered}. A row of boxes for each trunk and, below it, for its branches."""
    if not places:
        return ""
    return "".join(_tree(trunk, places) for trunk in sorted({place.trunk for place in places.values()}))


def _tree(trunk: str, places: Mapping[str, ServedVersion]) -> str:
    branches = {task: place for task, place in places.items() if place.trunk == trunk}
    depth = max(place.tap for place in branches.values())
    own = sum(place.layers for place in branches.values())
    apart = sum(place.tap + place.layers for place in branches.values())
    rows = [_row(trunk, 0, depth, "trunk")]
    rows += [_row(task, place.tap, place.layers, "branch") for task, place in sorted(branches.items())]
    said = (
        f"The trunk was computed once, {depth} layers. The branches have {own} layers more. "
        f"Models of their own would be {apart} layers."
    )
    return f'<section class="layers"><table>{"".join(rows)}</table>{note(said)}</section>'


def _row(name: str, below: int, count: int, kind: str) -> str:
    boxes = "<td></td>" * below + f'<td class="{kind}"></td>' * count
    return f"<tr><th>{escape(name)}</th>{boxes}</tr>"
