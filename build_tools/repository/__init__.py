"""The formats of a model repository on disk: registry, manifest, configs, names and locks. Imports no torch."""
