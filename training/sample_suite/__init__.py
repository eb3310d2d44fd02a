"""A small English data set for five tasks. A grammar writes it, so nothing is downloaded."""

from training.sample_suite.write import write_sample_suite

__all__ = ["write_sample_suite"]
