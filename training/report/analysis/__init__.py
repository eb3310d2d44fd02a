"""Counts the errors of one branch on the dev rows, by kind of task. It neither draws nor loads a model."""
