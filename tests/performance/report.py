"""Rounds -> medians, ratios and Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from shapes import Shape

Figures = Mapping[str, float]
Rivals = Mapping[str, Figures]  # rival -> figure -> value

TITLES = {
    "bare": "(a) bare graphs",
    "nlu": "(b) `nlu`",
    "single": "(c) single-task",
    "naive": "(d) naive router",
    "apart": "(e) `nlu`, branches apart",
}
GOALS_SHAPE = "assistant"  # the goals are for 21 tasks


@dataclass(frozen=True)
class Ratio:
    """A figure of the goals' table. at_least: whether more is better."""

    title: str
    numerator: tuple[str, str]  # rival, figure
    denominator: tuple[str, str]
    goal: float
    at_least: bool

    def of(self, rivals: Rivals) -> float | None:
        """Its value; None if one of the two was not measured."""
        above, below = (rivals.get(rival, {}).get(figure) for rival, figure in (self.numerator, self.denominator))
        return None if above is None or not below else above / below

    def reached(self, value: float) -> bool:
        return value >= self.goal if self.at_least else value <= self.goal


RATIOS = (
    Ratio("texts/s of (b) over (a), saturated", ("nlu", "texts_per_second"), ("bare", "texts_per_second"), 0.95, True),
    Ratio("texts/s of (b) over (c)", ("nlu", "texts_per_second"), ("single", "texts_per_second"), 10.0, True),
    Ratio("memory of (c) over (b)", ("single", "pss"), ("nlu", "pss"), 6, True),
    Ratio("latency at batch 1 of (b) over (a)", ("nlu", "p50_ms"), ("bare", "p50_ms"), 1.1, False),
    Ratio(
        "one task asked with all loaded, over that task deployed alone",
        ("nlu", "one_loaded_p50_ms"),
        ("nlu", "one_alone_p50_ms"),
        1.3,
        False,
    ),
    Ratio(
        "texts/s with one task outside the graph, over all inside",
        ("nlu", "outside_texts_per_second"),
        ("nlu", "texts_per_second"),
        0.95,
        True,
    ),
    Ratio("first streamed answer over last", ("nlu", "stream_first_ms"), ("nlu", "stream_last_ms"), 0.35, False),
    Ratio("P99 over P50 at 70 % of saturation", ("nlu", "load_p99_ms"), ("nlu", "load_p50_ms"), 2.5, False),
)
WITHOUT_GOAL = (
    ("texts/s of (b) over (d)", ("nlu", "texts_per_second"), ("naive", "texts_per_second")),
    ("texts/s of (b) over (e)", ("nlu", "texts_per_second"), ("apart", "texts_per_second")),
    ("latency of (b) over (e)", ("nlu", "p50_ms"), ("apart", "p50_ms")),
    ("memory of (b) over (e)", ("nlu", "pss"), ("apart", "pss")),
    ("latency of (c) over (b)", ("single", "p50_ms"), ("nlu", "p50_ms")),
)


def medians(rounds: Sequence[Rivals]) -> dict[str, dict[str, float]]:
    """The median of each figure of each rival over the rounds that have it."""
    found: dict[str, dict[str, list[float]]] = {}
    for measured in rounds:
        for rival, figures in measured.items():
            for figure, value in figures.items():
                found.setdefault(rival, {}).setdefault(figure, []).append(value)
    return {rival: {name: median(values) for name, values in figures.items()} for rival, figures in found.items()}


def ratio_of_rounds(ratio: Ratio, rounds: Sequence[Rivals]) -> float | None:
    """The median of the rounds' own ratios: what slows the machine for a while slows both sides of one round."""
    values = [value for measured in rounds if (value := ratio.of(measured)) is not None]
    return median(values) if values else None


def markdown(shape: Shape, rounds: Mapping[str, Sequence[Rivals]], notes: Sequence[str]) -> str:
    """Ratios, then figures, then notes, then goals. rounds: for each kind of texts."""
    parts = [f"# {shape.name}: {len(shape.branches)} tasks", _ratio_table(rounds), _figure_table(rounds)]
    parts.append("\n".join(f"- {note}" for note in notes))
    parts.append(_goal_table(shape, rounds))
    return "\n\n".join(parts) + "\n"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows))


def _ratio_table(rounds: Mapping[str, Sequence[Rivals]]) -> str:
    ratios = (*RATIOS, *(Ratio(*plain, goal=0, at_least=True) for plain in WITHOUT_GOAL))
    rows = [
        [ratio.title, *(_number(ratio_of_rounds(ratio, measured), 2) for measured in rounds.values())]
        for ratio in ratios
    ]
    return table(["ratio", *(_kind(tokens) for tokens in rounds)], rows)


def _figure_table(rounds: Mapping[str, Sequence[Rivals]]) -> str:
    header = ["rival", "texts", "texts/s", "P50, one caller (ms)", "P99 (ms)", "memory, PSS (GB)", "padding"]
    rows = []
    for tokens, measured in rounds.items():
        for rival, figures in medians(measured).items():
            cells = [_number(figures.get("texts_per_second"), 1)]
            cells += [_number(figures.get(name), 1) for name in ("p50_ms", "p99_ms")]
            cells.append(_number(figures["pss"] / 1e9, 2) if "pss" in figures else "-")
            cells.append(f"{figures['padding']:.0%}" if "padding" in figures else "-")
            rows.append([TITLES[rival], _kind(tokens), *cells])
    return table(header, rows)


def _goal_table(shape: Shape, rounds: Mapping[str, Sequence[Rivals]]) -> str:
    """The goals beside what was measured. Only one shape has goals; they are shown with the others for comparison."""
    rows = []
    for ratio in RATIOS:
        cells = []
        for measured in rounds.values():
            value = ratio_of_rounds(ratio, measured)
            cells.append("-" if value is None else f"{value:.2f} {'yes' if ratio.reached(value) else 'no'}")
        bound = "at least" if ratio.at_least else "at most"
        rows.append([ratio.title, f"{bound} {ratio.goal:g}", *cells])
    title = "Goals" if shape.name == GOALS_SHAPE else f"Goals (set for the shape {GOALS_SHAPE}, not for this one)"
    return f"{title}\n\n" + table(["figure", "goal", *(_kind(tokens) for tokens in rounds)], rows)


def _kind(tokens: str) -> str:
    return f"{tokens} tokens" if tokens.isdecimal() else tokens


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
