"""Whether the models that a registry names are there, with what the router expects of them."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from router.hidden_name import hidden_name
from router.registry import Registry, Version
from router.registry_format import NotARegistryError

IsLoaded = Callable[[str, int], bool]  # (model, version)

_FIRST_VERSION = "1"  # the only one of a tokenizer
_LOGITS = re.compile(r'name: "logits"[^}]*?dims: (?:\[[^\]]*?(-?\d+) *\]|(-?\d+)\s*\})')


def check_models(repository: Path, registry: Registry, present: Registry | None, is_loaded: IsLoaded) -> None:
    """Raises NotARegistryError, saying which, if a model that the registry names cannot be served.

    All must be in the repository: branches with as many logits as the version has labels, trunks with the version's
    tap as an output, tokenizers. What `present`, the registry in force, does not name must be loaded as well; None
    demands that of no model, because Triton loads the router before it has loaded the others.
    """
    config = cache(lambda model: _config(repository, model))
    known = {(version.model, version.number) for version in present.versions} if present else set()
    for trunk, tokenizer in registry.tokenizers.items():
        config(trunk)
        if not (repository / tokenizer / _FIRST_VERSION / "tokenizer.json").is_file():
            raise NotARegistryError(f"the model {tokenizer}, the tokenizer of {trunk}, is not in the repository")
    for version in registry.versions:
        what = f"version {version.number} of {version.task}"
        if not (repository / version.model / str(version.number)).is_dir():
            raise NotARegistryError(f"{what} is not in the repository ({version.model}/{version.number} is missing)")
        if f'"{hidden_name(version.tap)}"' not in config(version.trunk):
            raise NotARegistryError(f"{what} reads {version.trunk} at tap {version.tap}, where it has no output")
        _check_logits(version, what, config(version.model))
        is_new = present is not None and (version.model, version.number) not in known
        if is_new and not is_loaded(version.model, version.number):
            raise NotARegistryError(f"{what} is not loaded ({version.model}/{version.number})")


def _config(repository: Path, model: str) -> str:
    try:
        return (repository / model / "config.pbtxt").read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise NotARegistryError(f"the config of the model {model} cannot be read ({error.strerror})") from error


def _check_logits(version: Version, what: str, config: str) -> None:
    found = _LOGITS.search(config)
    wanted = 1 if version.kind == "pair_regression" else len(version.labels)
    if found and int(found[1] or found[2]) != wanted:
        raise NotARegistryError(f"{what} has {wanted} labels, and its model has {found[1] or found[2]} logits")
