"""Triton Python-based backends named like NVIDIA's C++ ones, so that one model repository runs with either.

Each folder with a `model.py` is a backend of the folder's name; `espalier_backend` holds what they share
and is placed inside each of them when `build_tools.serving.backend_directory` assembles Triton's backend
directory.
"""
