"""Pretrained encoders: what a family (BERT, RoBERTa, ...) says about its files, and the one network that all become.

From here on nothing knows families: search, distillation, fingerprint, export and serving see `network` and its layers.
"""
