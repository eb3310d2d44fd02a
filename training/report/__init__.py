"""The report: search results -> one self-contained page and its plots.

Read it in the order of the data: `results` (what was searched), `options` (the ways to serve the tasks), `table`,
`figures`, `predictions` and `analysis` (the errors of the chosen branches), `page` (the HTML), `write` (the folder).
"""
