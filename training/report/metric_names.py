"""Names of metrics as readers know them."""

_NAMES = {
    "f1": "F1",
    "f1_macro": "macro F1",
    "f1_micro": "micro F1",
    "matthews": "Matthews correlation",
    "pearson": "Pearson correlation",
    "spearman": "Spearman correlation",
    "span_f1": "span F1",
}


def metric_name(metric: str) -> str:
    """Returns the name for the page: 'span_f1' -> 'span F1'."""
    return _NAMES.get(metric, metric.replace("_", " "))
