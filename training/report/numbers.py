"""Formats numbers for the page."""

MISSING = "\N{EN DASH}"


def points(value: float | None) -> str:
    """Formats a score in points with one decimal, as in the paper's tables."""
    return MISSING if value is None else f"{value:.1f}"


def percent(share: float | None) -> str:
    """Formats a share: 0.343 -> '34.3 %'."""
    return MISSING if share is None else f"{100 * share:.1f} %"


def plus_minus(error: float | None) -> str:
    """Formats a standard error in points: 1.23 -> '\u00b11.2'; an unknown one is empty."""
    return "" if error is None else f"\N{PLUS-MINUS SIGN}{error:.1f}"


def seconds(value: float | None) -> str:
    """Formats a duration in seconds, with a decimal below 100 s."""
    if value is None:
        return MISSING
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"
