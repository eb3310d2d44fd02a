"""The calls in which a group of sequences goes up a trunk: of the trunk itself, or of a graph that it is fused into."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from router.registry import NEWEST, Fused, Version

Places = Mapping[int, int]  # row -> its sequence's place in a group


@dataclass(frozen=True)
class Step:
    """One call.

    model, number: the Triton model that is called. fused: if that is a fused graph, which. taps: that it reaches,
    ascending. inside: the versions that it computes itself. outside: those that read its hidden states, as models of
    their own. start: the tap from which it goes on; None from the tokens. then: the steps that go on from its taps.
    """

    model: str
    number: int
    fused: Fused | None
    taps: tuple[int, ...]
    inside: tuple[Version, ...]
    outside: tuple[Version, ...]
    start: int | None
    then: tuple["Step", ...]

    @cached_property
    def versions(self) -> frozenset[Version]:
        """The versions of this step and of all that follow from it."""
        return frozenset((*self.inside, *self.outside)).union(*(step.versions for step in self.then))

    def hidden(self, places: Mapping[Version, Places]) -> dict[int, list[int]]:
        """Returns {tap: the sequences of which somebody reads the hidden states there}. places: of those who wait."""
        found: dict[int, set[int]] = {}
        for version in self.outside:
            found.setdefault(version.tap, set()).update(places.get(version, {}).values())
        for step in self.then:
            assert step.start is not None
            found.setdefault(step.start, set()).update(step.sequences(places))
        return {tap: sorted(sequences) for tap, sequences in sorted(found.items()) if sequences}

    def sequences(self, places: Mapping[Version, Places]) -> list[int]:
        """Returns the places of the sequences that this step has to compute."""
        return sorted({place for version in self.versions for place in places.get(version, {}).values()})


def route(
    versions: Collection[Version],
    fused: Fused | None,
    resumes: bool,
    by_tap: bool,
    is_waited_for: Callable[[Version], bool],
) -> list[Step]:
    """Returns the first steps for versions that read one trunk; the others follow from them.

    fused: the graph to ask where it can answer. It is asked once for all that somebody waits for, or with `by_tap` once
    for each tap. resumes: whether models can go on from a tap: else each is asked once, and all from the tokens.
    """
    taps_of_fused = {version.tap for version in versions if fused is not None and fused.reaches(version)}
    taps_of_trunk = {version.tap for version in versions} - taps_of_fused
    waited_for = {version.tap for version in versions if is_waited_for(version)}
    cuts: list[tuple[Fused | None, Sequence[int]]] = [
        *((fused, taps) for taps in _cut(taps_of_fused, resumes, None if by_tap else waited_for)),
        *((None, taps) for taps in _cut(taps_of_trunk, resumes, None)),
    ]
    cuts.sort(key=lambda cut: cut[1][0])
    trunk = next(iter(versions)).trunk
    steps: list[Step] = []
    for graph, taps in reversed(cuts):  # what follows from a step is above it
        # The trunk has all taps that a fused graph has, but not the other way round.
        below = [tap for other, lower in cuts if graph in (None, other) for tap in lower if tap < taps[0]]
        reached = [version for version in versions if version.tap in taps]
        step = Step(
            model=trunk if graph is None else graph.model,
            number=NEWEST if graph is None else graph.number,
            fused=graph,
            taps=tuple(taps),
            inside=tuple(version for version in reached if graph is not None and graph.holds(version)),
            outside=tuple(version for version in reached if graph is None or not graph.holds(version)),
            start=max(below, default=None) if resumes else None,
            then=tuple(step for step in steps if step.start in taps),
        )
        steps.insert(0, step)
    return [step for step in steps if step.start is None]


def _cut(taps: Collection[int], resumes: bool, together: Collection[int] | None) -> Iterator[Sequence[int]]:
    """Yields the taps of each call. together: those up to the deepest of these in one; None: each in one of its own."""
    ordered = sorted(taps)
    if not resumes:
        together = ordered
    deepest = max(together or (), default=-1)
    first = [tap for tap in ordered if tap <= deepest]
    if first:
        yield first
    yield from ([tap] for tap in ordered if tap > deepest)
