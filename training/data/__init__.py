"""Reads tasks: folders of JSONL, CSV or TSV files, or Hugging Face data sets -> examples.

Read it in the order of the data: `source` (a folder, or `hub`), `split` (one file, by `jsonl` or `tabular`),
`task_file` (task.json), `infer_kind`, `rows` (a row -> an `example`), `label_map` and `labels`, `halves` (dev cut in
two), `task` (all of it). `partly_labelled` is for rows that need no label.
"""

from training.data.example import Example
from training.data.task import TaskData, load_task

__all__ = ["Example", "TaskData", "load_task"]
