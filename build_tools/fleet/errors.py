"""Errors of a fleet that say nothing against what is published."""

from build_tools.errors import NotNowError


class TooFewServersError(NotNowError):
    """Fewer servers than are required have a proposal ready in time, and none refuses it."""
