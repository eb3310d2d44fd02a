"""A scatter plot of predicted against true values."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from training.report.figures.style import BASELINE, TEACHER, new_figure, style


def draw_regression_scatter(golds: Sequence[float], predictions: Sequence[float]) -> Figure:
    """Draws one dot per dev row; on the diagonal the prediction is right."""
    with style():
        figure = new_figure(3.8, 3.8)
        axes = figure.subplots()
        low, high = min(*golds, *predictions), max(*golds, *predictions)
        margin = 0.05 * (high - low) or 0.5
        limits = (low - margin, high + margin)
        axes.plot(limits, limits, color=BASELINE, linestyle="--", linewidth=1)
        # Many dots overlap: transparency shows where they are dense.
        axes.scatter(golds, predictions, s=9, color=TEACHER, alpha=min(1.0, max(0.12, 60 / len(golds))), linewidths=0)
        axes.set(xlim=limits, ylim=limits, aspect="equal", xlabel="true value", ylabel="answer of the branch")
        return figure
