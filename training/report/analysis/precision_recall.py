"""Precision, recall and F1 from counts."""


def precision_recall_f1(right: int, predicted: int, gold: int) -> tuple[float, float, float]:
    """Returns precision, recall and F1 in points from 0 to 100; 0 where the divisor is 0, as in the metrics."""
    precision = 100 * right / predicted if predicted else 0.0
    recall = 100 * right / gold if gold else 0.0
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    return precision, recall, f1
