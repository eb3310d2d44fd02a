"""Chooses the branch of each task: from scores to a suite file, without torch.

Read it in the order of the data: `options_from_scores` (a JSON file of scores) or `options_from_search` (the folders
of `espalier search`), `options` (the branches that can serve each task), `mixed` (the choice, paper section 4.2),
`any_tap` (the same among the students of all taps), `suite` (the chosen branches and their cost), `on_rows` (their
scores on rows that chose nothing), `suite_table` (Appendix D), `suite_file` (the input of `espalier build`).
"""
