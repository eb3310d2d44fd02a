"""Which branch each task of a suite gets: from scores to a suite file, without torch.

Read it in the order of the data: `scores` (a JSON file of scores) or `searched` (what `espalier search` left behind),
both -> `options` (what each task can be served with), `mixed` (the choice, paper section 4.2), `suite` (the chosen
branches and what they cost), `table` (Appendix D) and `suite_file` (what `espalier build` reads).
"""
