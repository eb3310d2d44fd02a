"""Reading tasks: JSONL folders and Hugging Face data sets in, examples out."""

from training.data.example import Example
from training.data.task import TaskData, load_task

__all__ = ["Example", "TaskData", "load_task"]
