"""Build tools: task checkpoints -> a model repository, live on Triton.

Each room imports only from rooms above it: `repository` (formats on disk) and `backends` (what runs a graph), then
`export` and `golden` (parity checks), `precision`, then `build` and `publishing`, then `serving`.
"""
