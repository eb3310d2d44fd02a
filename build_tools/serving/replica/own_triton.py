"""What this replica's Triton has loaded: brought to what one or more registries name, in the view."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol

from build_tools.errors import BuildError
from build_tools.publishing.ensembles import settle_ensemble
from build_tools.publishing.running_server import INFER_SECONDS, RunningServer
from build_tools.publishing.served_answers import check_answers
from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.settle import settle_trunk
from build_tools.repository.in_memory import held_models
from build_tools.repository.names import BRANCH_PREFIX, FUSED, ROUTERS, TOKENIZER, TRUNK
from build_tools.repository.registry import Registry
from build_tools.serving.replica.errors import AwayError, NotHereError
from build_tools.serving.replica.generation import Generation
from build_tools.serving.replica.proofs import proofs
from build_tools.serving.replica.view import View


class Models(Protocol):
    """What the follower has done. All methods raise BuildError: NotHereError or AwayError if trying again helps."""

    def prepare(self, before: Registry, after: Registry) -> None:
        """Loads what `after` names beside what is loaded, and asks the golden examples of what is new in it.

        before: the registry in force.
        """

    def put_in_force(self, generation: Generation) -> None:
        """Has the routers follow this generation."""

    def settle(self, adopted: Registry, earlier: Sequence[Registry], coming: Registry | None) -> None:
        """Loads what the adopted registry names, switches the ensembles to it, and unloads what nobody asks for.

        earlier: those that batches in flight may still follow. coming: what is being prepared.
        """

    def is_up(self) -> bool:
        """Whether Triton answers."""


class OwnTriton:
    """Models, of the Triton of this process's server."""

    def __init__(self, view: View, connect: Callable[[], RunningServer]) -> None:
        self._view = view
        self._connect = connect
        self._server: RunningServer | None = None

    def prepare(self, before: Registry, after: Registry) -> None:
        """See Models."""
        self._view.fetch(after)
        with self._served(after) as served:
            # Not what else is loaded: a Triton that ended while a version proved itself has it again after its restart.
            proved_models = held_models(before)
            proved = {
                model: [version for version in versions if version in proved_models.get(model, [])]
                for model, versions in served.loaded.items()
            }
            held = held_models(after)
            for trunk in after.trunks:
                settle_trunk(served, trunk, trunk in held)
            for model, versions in held.items():
                if model.startswith(BRANCH_PREFIX):
                    for version in versions:
                        served.hold_also(model, version)
            for one in proofs(before, after, proved):
                try:
                    check_answers(
                        served.server, served.folder, after, one.task, one.number, one.rows, seconds=INFER_SECONDS
                    )
                except BuildError as error:
                    raise BuildError(
                        f"version {one.number} of {one.task} does not answer here as it should: {error}"
                    ) from error

    def put_in_force(self, generation: Generation) -> None:
        """See Models."""
        self._view.put_in_force(generation)

    def settle(self, adopted: Registry, earlier: Sequence[Registry], coming: Registry | None) -> None:
        """See Models."""
        asked = [*earlier, adopted]
        kept = asked if coming is None else [*asked, coming]
        held = _held_by_any(kept)
        tasks = {task for registry in asked for task in registry.tasks}
        with suppress(NotHereError):  # then the shared folder is away: what is loaded stays so
            self._view.fetch(adopted)
        with self._served(adopted) as served:
            for name, trunk in adopted.trunks.items():
                # One that the coming registry changes is loaded as that says, which serves both.
                if coming is None or coming.trunks.get(name, trunk) == trunk:
                    settle_trunk(served, name, name in held)
            for task in adopted.tasks:
                settle_ensemble(served, task)
            for model, versions in held.items():
                if model.startswith(BRANCH_PREFIX) and (here := served.on_disk(model, versions)):
                    served.hold(model, sorted(here))
            wanted = {*ROUTERS, TOKENIZER, *tasks, *held}
            wanted |= {name for registry in kept for trunk in registry.trunks.values() for name in trunk.tokenizers}
            for model in sorted(served.loaded.keys() - wanted, key=_is_inner):
                served.unload(model)
            self._view.keep_only(kept, tasks)

    def is_up(self) -> bool:
        """See Models."""
        try:
            self._connected().ready_versions()
        except BuildError:
            return False
        return True

    @contextmanager
    def _served(self, registry: Registry) -> Iterator[ServedRepository]:
        """The view as the publishing rooms see a repository: under its lock, which the watch respects."""
        server = self._connected()
        self._view.remove_dangling()
        with ServedRepository.locked(self._view.folder, server, lambda _: None) as served:
            served.registry = registry
            yield served

    def _connected(self) -> RunningServer:
        if self._server is None:
            try:
                self._server = self._connect()
            except BuildError as error:
                raise AwayError("tritonserver does not answer") from error
        return self._server


def _held_by_any(registries: Iterable[Registry]) -> dict[str, set[int]]:
    held: dict[str, set[int]] = {}
    for registry in registries:
        for model, versions in held_models(registry).items():
            held.setdefault(model, set()).update(versions)
    return held


def _is_inner(model: str) -> bool:
    """Ensembles are unloaded before the models that they use."""
    return model.startswith((BRANCH_PREFIX, f"{TOKENIZER}_")) or model.split(".")[0] in (TRUNK, FUSED)
