"""Build tools: task checkpoints -> a model repository, live on Triton.

It checks checkpoints, exports them (`export`), proves every graph equal to its golden examples (`proof`) and lays
out the repository (`builder`, `triton_config`, `registry`); `serving` runs tritonserver on it with `backends`.
"""
