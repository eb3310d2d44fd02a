"""Python-based backends for Triton, named like NVIDIA's C++ ones, so that one model repository runs with either.

Each folder with a `model.py` is a backend of the folder's name. `espalier_backend` holds the code that they share;
`build_tools.serving.triton.backend_directory` copies it into each of them.
"""
