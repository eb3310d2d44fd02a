"""registry.json is the truth: configs, folders and loaded models are made to follow it."""

from build_tools.publishing.ensembles import settle_ensemble
from build_tools.publishing.orphans import remove_orphans
from build_tools.publishing.registry_transitions import tidied
from build_tools.publishing.served_repository import ServedRepository
from build_tools.repository.in_memory import batches_in_flight, held_models, idle_models
from build_tools.repository.manifest import forget_missing
from build_tools.repository.names import BRANCH_PREFIX, FIRST_VERSION
from build_tools.repository.proposal import withdraw_proposal
from build_tools.repository.staging import remove_dead_staging
from build_tools.repository.triton_config import config_of_trunk
from training.atomic_write import remove_staged_files


def settle(served: ServedRepository) -> None:
    """Completes or undoes what killed commands have left, and removes what nothing can come back to.

    Publish and serve begin with it, retire ends with it. Promote and rollback skip it, because somebody waits for them.
    """
    remove_dead_staging(served.folder)
    remove_staged_files(served.folder)
    withdraw_proposal(served.folder)  # its publisher was killed: it would hold the lock
    tidy = tidied(served.registry)
    if tidy != served.registry:
        served.replace_registry(tidy)
    follow_registry(served)


def follow_registry(served: ServedRepository) -> None:
    """Brings configs, folders and loaded models to what the registry says. Does nothing where they agree.

    First everything missing is loaded, then the ensembles switch to it, then everything unused is unloaded. So no step
    takes from the server what it still uses.
    """
    held = held_models(served.registry)
    for name in served.registry.trunks:
        settle_trunk(served, name, name in held)
    branches = {model: versions for model, versions in held.items() if model.startswith(BRANCH_PREFIX)}
    for model, versions in branches.items():
        in_use = set(served.loaded.get(model, [])) & set(served.configured(model))
        served.hold(model, sorted({*versions, *served.on_disk(model, in_use)}))
    for task in served.registry.tasks:
        settle_ensemble(served, task)
    if not batches_in_flight(served.registry):
        for model, versions in branches.items():
            served.hold(model, versions)
        for model in sorted(idle_models(served.registry) & served.loaded.keys()):
            served.unload(model)
    remove_orphans(served)
    forget_missing(served.folder)


def settle_trunk(served: ServedRepository, name: str, is_held: bool) -> None:
    """Brings a trunk, its fused graph and its tokenizers to what the registry says. is_held: whether it is loaded."""
    registry = served.registry
    trunk = registry.trunks[name]
    wanted = config_of_trunk(name, trunk, registry.runtime, registry.device)
    changed = served.put_trunk_configs(name, wanted)
    if is_held and (changed or served.loaded.get(name) != [trunk.version]):
        served.load(name, [trunk.version])
    # The config of a fused model stays as it was written: it tells of versions that the registry may have forgotten.
    if trunk.fused is not None and served.loaded.get(trunk.fused.model) != [trunk.fused.version]:
        served.load(trunk.fused.model, [trunk.fused.version])
    for tokenizer in trunk.tokenizers:
        if tokenizer not in served.loaded:
            served.load(tokenizer, [int(FIRST_VERSION)])
