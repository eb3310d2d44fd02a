"""Errors of a fleet that say nothing against what is published."""

from build_tools.errors import BuildError


class TooFewServersError(BuildError):
    """Fewer servers than are required have a proposal ready in time, and none refuses it: the same may work later."""
