"""The errors of one branch on the dev rows, by kind of task. Nothing here draws or loads a model."""
