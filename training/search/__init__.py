"""The search for L and l of one task: its trials, its baselines and its result.

Read the modules in this order: `spec` (one trial), `settings` (which trials there are, and what they have in common),
`search` (their order), `way` (those of one role), `ledger` (who trains which, on Optuna's `storage`), `trial_training`
(one trial, to its checkpoint), `best_teacher` and `teacher` (what students learn from), `result` (result.json, with
its `cost`), `convergence` (which ways had not ended learning).
"""
