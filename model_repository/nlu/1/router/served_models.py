"""Whether the models that a registry names are there, with what the router expects of them."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from router.registry import NEWEST, Registry, Version
from router.registry_format import NotARegistryError
from router.tensor_names import hidden_name, logits_name

IsLoaded = Callable[[str, int], bool]  # (model, version)

_FIRST_VERSION = "1"  # the only one of a tokenizer
_DIMS = r"[^}]*?dims: (?:\[[^\]]*?(-?\d+) *\]|(-?\d+)\s*\})"


def check_models(repository: Path, registry: Registry, present: Registry | None, is_loaded: IsLoaded) -> None:
    """Raises NotARegistryError, saying which, if a model that the registry names cannot be served.

    All must be in the repository: branches, alone or in a fused graph, with as many logits as the version has labels,
    trunks with the version's tap as an output, tokenizers. What the routers call for this registry, and did not for
    `present`, the one in force, must be loaded as well; None demands that of no model, because Triton loads the router
    before it has loaded the others.
    """
    config = cache(lambda model: _config(repository, model))
    known = called_models(present) if present else {}
    for trunk, tokenizer in registry.tokenizers.items():
        config(trunk)
        if not (repository / tokenizer / _FIRST_VERSION / "tokenizer.json").is_file():
            raise NotARegistryError(f"the model {tokenizer}, the tokenizer of {trunk}, is not in the repository")
    for trunk, fused in registry.fused.items():
        what = f"the fused graph of {trunk}"
        _check_folder(repository, what, fused.model, fused.number)
        outputs = [*map(hidden_name, fused.taps), *map(logits_name, fused.tasks)]
        for output in outputs:
            if f'"{output}"' not in config(fused.model):
                raise NotARegistryError(f"{what} has no output {output}")
    for version in registry.versions:
        what = f"version {version.number} of {version.task}"
        _check_folder(repository, what, version.model, version.number)
        if f'"{hidden_name(version.tap)}"' not in config(version.trunk):
            raise NotARegistryError(f"{what} reads {version.trunk} at tap {version.tap}, where it has no output")
        model, _ = registry.runs_in(version)
        output = "logits" if model == version.model else logits_name(version.task)
        _check_logits(version, what, output, config(model))
    for (model, number), what in called_models(registry).items():
        if present is not None and (model, number) not in known and not is_loaded(model, number):
            raise NotARegistryError(f"{what} is not loaded ({model}, version {number})")


def called_models(registry: Registry) -> dict[tuple[str, int], str]:
    """Returns {(Triton model, version): for what} of the trunks, branches and fused graphs that the routers call."""
    called = {}
    for version in registry.versions:
        fused = registry.fused.get(version.trunk)
        if fused is None or not fused.holds(version):
            called[version.model, version.number] = f"version {version.number} of {version.task}"
        if fused is not None and fused.reaches(version):
            called[fused.model, fused.number] = f"the fused graph of {version.trunk}"
        else:
            called[version.trunk, NEWEST] = f"the trunk of {version.task}"
    return called


def _config(repository: Path, model: str) -> str:
    try:
        return (repository / model / "config.pbtxt").read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise NotARegistryError(f"the config of the model {model} cannot be read ({error.strerror})") from error


def _check_folder(repository: Path, what: str, model: str, number: int) -> None:
    if not (repository / model / str(number)).is_dir():
        raise NotARegistryError(f"{what} is not in the repository ({model}/{number} is missing)")


def _check_logits(version: Version, what: str, output: str, config: str) -> None:
    found = re.search(f'name: "{re.escape(output)}"{_DIMS}', config)
    wanted = 1 if version.kind == "pair_regression" else len(version.labels)
    if found and int(found[1] or found[2]) != wanted:
        raise NotARegistryError(f"{what} has {wanted} labels, and its model has {found[1] or found[2]} logits")
