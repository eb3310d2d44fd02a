"""The report: search results -> one self-contained page and its plots.

Read it in the order of the data: `collected_results` (the searches), `comparison_columns` (the ways to serve the
tasks), `comparison_table`, `figures`, `predictions` and `analysis` (the errors of the chosen branches), `page` (the
HTML), `write` (the folder).
"""
