"""Build tools: task checkpoints -> a model repository, live on Triton.

The rooms, lowest first; each imports only rooms named before it: `repository` (formats on disk) and `backends` (what runs a graph), then
`export` and `golden` (parity checks), `precision`, then `build` and `publishing`, then `serving`.
"""
