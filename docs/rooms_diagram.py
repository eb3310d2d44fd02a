"""Draws which room imports which, from the imports themselves, into docs/architecture.md.

`make diagram` writes the Mermaid text; `make lint` calls this with --check, which fails if the text is out of date.
"""

import sys
from pathlib import Path

import grimp

PACKAGES = ("training", "build_tools", "clients")
PAGE = Path(__file__).with_name("architecture.md")
START, END = "<!-- made by `make diagram` -->\n", "<!-- end -->\n"

Arrows = dict[str, set[str]]  # importer: what it imports


def arrows_between(graph: grimp.ImportGraph, names: set[str]) -> Arrows:
    """Returns the imports between modules or packages, with what lies in them."""
    found: Arrows = {name: set() for name in names}
    for importer in names:
        modules = {importer} | graph.find_descendants(importer)
        imported = {target for module in modules for target in graph.find_modules_directly_imported_by(module)}
        for target in names - {importer}:
            if imported & ({target} | graph.find_descendants(target)):
                found[importer].add(target)
    return found


def reachable(arrows: Arrows, start: str) -> set[str]:
    """Returns what `start` imports, directly or not. There are no circles: `make lint` sees to that."""
    return arrows[start].union(*(reachable(arrows, target) for target in arrows[start]))


def reduced(arrows: Arrows) -> list[tuple[str, str]]:
    """Returns the arrows without those that follow from others: a -> c, if a -> b and b -> c."""
    return sorted(
        (importer, target)
        for importer, targets in arrows.items()
        for target in targets
        if not any(target in reachable(arrows, other) for other in targets)
    )


def mermaid(graph: grimp.ImportGraph) -> str:
    """Returns the picture: a box per package with its rooms (its folders), and the arrows."""
    lines = ["flowchart TD"]
    for package in PACKAGES:
        rooms = {child for child in graph.find_children(package) if graph.find_children(child)}
        lines.append(f"  subgraph {package}")
        lines += [f"    {room}[{room.partition('.')[2]}]" for room in sorted(rooms)]
        lines += [f"    {importer} --> {target}" for importer, target in reduced(arrows_between(graph, rooms))]
        lines.append("  end")
    lines += [f"  {importer} --> {target}" for importer, target in reduced(arrows_between(graph, set(PACKAGES)))]
    return "```mermaid\n" + "\n".join(lines) + "\n```\n"


def main() -> int:
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    drawn = before + START + mermaid(grimp.build_graph(*PACKAGES, cache_dir=None)) + END + after
    if "--check" not in sys.argv:
        PAGE.write_text(drawn, encoding="utf-8")
    elif drawn != page:
        print("docs/architecture.md shows other imports than the code has: run `make diagram`.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
