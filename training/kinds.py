"""The kinds of task that Espalier trains and serves."""

from enum import StrEnum


class Kind(StrEnum):
    """The inputs and outputs of a task. branch.json and registry.json hold the same words."""

    CLASSIFICATION = "classification"
    PAIR_CLASSIFICATION = "pair_classification"
    PAIR_REGRESSION = "pair_regression"
    TAGGING = "tagging"
    MULTI_LABEL = "multi_label"

    @property
    def is_pair(self) -> bool:
        """True if the task reads two texts."""
        return self in (Kind.PAIR_CLASSIFICATION, Kind.PAIR_REGRESSION)

    @property
    def default_metric(self) -> str:
        """The dev metric that picks the best epoch by default."""
        return {Kind.PAIR_REGRESSION: "pearson", Kind.TAGGING: "span_f1", Kind.MULTI_LABEL: "f1_macro"}.get(
            self, "accuracy"
        )
