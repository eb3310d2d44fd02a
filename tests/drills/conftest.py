"""Drills load or break a server for minutes; `make test` runs about a minute of each."""

from publishing_site import load, site  # noqa: F401, fixtures
