"""Adoption: a fine-tuned classifier of transformers, the original, becomes the teacher of a branch.

Read the modules in this order: `original` (load it), `original_kind` and `original_labels` (what it answers),
`original_logits` (asked once, kept on disk), `tag_scheme` (its tags as ours), `answers` (its answers as ours), `adopt`
(a task and its original), `distill` (the branch), `score` (the original on a file of rows).
"""
