"""Reads tasks: folders of JSONL, CSV or TSV files, or Hugging Face data sets -> examples."""

from training.data.example import Example
from training.data.task import TaskData, load_task

__all__ = ["Example", "TaskData", "load_task"]
