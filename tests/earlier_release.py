"""Makes a repository what an earlier release would have left: registry format 2, as that release wrote it."""

import json
from pathlib import Path

from build_tools.repository.control_key import CONTROL_KEY
from build_tools.repository.golden_examples import GOLDEN_EXAMPLES
from build_tools.repository.manifest import write_manifest
from build_tools.repository.registry import REGISTRY, read_registry
from build_tools.repository.triton_config import trunk_config, write_trunk_configs

# Of format 3 only.
_NEW_IN_TRUNK = ("fused", "fused_leaving", "fused_made")
_NEW_IN_CANARY = ("max_label_shift",)
GONE = Path("nlu", "1", "router", "of_an_earlier_release.py")


def make_earlier(repository: Path) -> None:
    """Takes out what that release had not, and changes the code of a router."""
    registry = read_registry(repository)
    for name, trunk in registry.trunks.items():
        config = trunk_config(registry.runtime, trunk.taps, trunk.hidden_size, trunk.precision, name, trunk.version)
        write_trunk_configs(repository / name, config)
    content = json.loads((repository / REGISTRY).read_text(encoding="utf-8"))
    del content["generation"]
    content["format_version"] = 2
    for trunk in content["trunks"].values():
        for field in _NEW_IN_TRUNK:
            trunk.pop(field, None)
    for task in content["tasks"].values():
        for field in _NEW_IN_CANARY:
            (task["canary"] or {}).pop(field, None)
    (repository / REGISTRY).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    for file in (*repository.rglob(GOLDEN_EXAMPLES), *repository.glob(CONTROL_KEY)):
        file.unlink()
    (repository / GONE).write_text('"""No release has it any more."""\n')
    router = repository / "nlu/1/router/router.py"
    router.write_text(router.read_text(encoding="utf-8") + "# as it was\n", encoding="utf-8")
    write_manifest(repository)
