"""How many layers the branches have: their records say it, beside the graphs."""

import contextlib
import json
from pathlib import Path

from router.registry import Version

_UNKNOWN = 1  # of a version whose record cannot be read: a branch has one layer at least


class BranchLayers:
    """Reads each version's record once."""

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        self._layers: dict[Version, int] = {}

    def __call__(self, version: Version) -> int:
        """Returns the number of layers of a version's branch."""
        if version not in self._layers:
            self._layers[version] = self._read(version)
        return self._layers[version]

    def _read(self, version: Version) -> int:
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            record = self._repository / version.model / str(version.number) / "branch.json"
            return max(_UNKNOWN, int(json.loads(record.read_bytes())["layers"]))
        return _UNKNOWN
