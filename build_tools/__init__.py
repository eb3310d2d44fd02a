"""Build tools: task checkpoints -> a model repository, live on Triton.

The rooms, lowest first; each imports only rooms named before it: `repository` (formats on disk) and `backends` (they
run a graph), `export` and `golden` (parity checks), `precision`, `build` and `publishing`, `serving`.
"""
