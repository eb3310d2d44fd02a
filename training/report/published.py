"""What others published on the eight GLUE tasks: the rivals of the paper's Table 2, to stand beside our rows."""

from training.report.plain_table import PlainTable

SOURCE = (
    "A Flexible Multi-Task Model for BERT Serving (Wei, Qi and He, ACL 2022), Table 2: dev scores of BERT-base, the "
    "best of five runs on whole data sets. They were trained elsewhere, on more rows and another encoder than ours, so "
    "compare what a way loses against its own full fine-tuning, not the scores of two tables. In the paper, too, "
    "MiniLM's row is BERT-PKD's."
)
_TASKS = ["QNLI", "RTE", "QQP", "MNLI", "SST-2", "MRPC", "CoLA", "STS-B"]
# Way, its source as the paper cites it, the scores in the order above, the average, layers and overhead as printed.
_ROWS = [
    ("full fine-tuning", "Devlin et al. 2019", "91.6 69.7 91.1 84.6 93.4 88.2 54.7 88.8 82.8", "96 (100 %)"),
    ("DistilBERT", "Sanh et al. 2019", "89.2 59.9 88.5 82.2 91.3 87.5 51.3 86.9 79.6", "48 (50.0 %)"),
    ("Vanilla-KD", "Hinton et al. 2015", "88.0 64.9 88.1 80.1 90.5 86.2 45.1 84.9 78.5", "48 (50.0 %)"),
    ("PD-BERT", "Turc et al. 2019", "89.0 66.7 89.1 83.0 91.1 87.2 - - -", "48 (50.0 %)"),
    ("BERT-PKD", "Sun et al. 2019", "88.4 66.5 88.4 81.3 91.3 85.7 45.5 86.2 79.2", "48 (50.0 %)"),
    ("BERT-of-Theseus", "Xu et al. 2020", "89.5 68.2 89.6 82.3 91.5 89.0 51.1 88.7 81.2", "48 (50.0 %)"),
    ("TinyBERT", "Jiao et al. 2020", "90.5 72.2 90.6 83.5 91.6 88.4 42.8 - -", "48 (50.0 %)"),
    ("MiniLM", "Wang et al. 2020", "88.4 66.5 88.4 81.3 91.3 85.7 45.5 86.2 79.2", "48 (50.0 %)"),
    ("MT-DNN (full)", "Liu et al. 2019, 2020", "91.1 80.9 87.6 84.4 93.5 87.4 51.3 86.8 82.9", "12 (12.5 %)"),
    ("MT-DNN (LOO)", "Liu et al. 2019, 2020", "69.7 60.6 66.5 56.7 79.2 74.2 10.2 72.9 -", "\N{EN DASH}"),
    ("the paper, KD-1", "Wei et al. 2022", "86.4 66.1 91.0 77.5 90.7 85.1 36.4 88.3 77.4", "15 (15.6 %)"),
    ("the paper, KD-2", "Wei et al. 2022", "88.6 64.6 91.3 81.7 92.7 86.3 44.0 88.6 79.7", "23 (24.0 %)"),
    ("the paper, KD-3", "Wei et al. 2022", "90.2 66.8 91.2 82.9 92.7 88.0 50.0 88.9 81.3", "31 (32.3 %)"),
    ("the paper, w/o KD", "Wei et al. 2022", "91.7 71.5 91.1 84.5 93.1 89.7 55.2 88.9 83.2", "67 (69.8 %)"),
    ("the paper, mixed", "Wei et al. 2022", "90.2 71.5 91.0 82.9 92.7 88.0 55.2 88.3 82.5", "33 (34.3 %)"),
]


def published_table() -> PlainTable:
    """Returns one row per way with its source, its scores in points, and its layers for all eight tasks."""
    rows = [[way, source, *scores.replace("-", "\N{EN DASH}").split(), layers] for way, source, scores, layers in _ROWS]
    return PlainTable(["way", "source", *_TASKS, "average", "layers (overhead)"], rows, texts=2)
