"""What makes a server a replica: the view that it serves, and who follows the shared folder for it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from build_tools.errors import BuildError
from build_tools.publishing.running_server import RunningServer
from build_tools.repository.registry import REGISTRY
from build_tools.serving.errors import ServeError
from build_tools.serving.replica.errors import NotHereError
from build_tools.serving.replica.follower import Follower
from build_tools.serving.replica.generation import Generation, GenerationFile
from build_tools.serving.replica.own_triton import OwnTriton
from build_tools.serving.replica.view import View
from build_tools.serving.triton.run_mark import RunMark
from build_tools.serving.triton.serving_folder import new_temporary_folder, remove_folder
from build_tools.serving.triton.triton_key import KEY_METADATA

_AGAIN_SECONDS = 0.5


@dataclass(frozen=True)
class Replica:
    """view: served in place of the shared folder. adopted: the generation that it was built of."""

    view: View
    adopted: Generation

    @property
    def is_outdated(self) -> bool:
        """Whether another generation has been committed since: files of this one may be gone."""
        try:
            committed = GenerationFile(self.view.shared / REGISTRY).read()
        except BuildError:
            return False
        return committed is not None and committed.sha256 != self.adopted.sha256

    def follower(
        self,
        triton: str,
        key: str,
        restarts: Callable[[], int],
        changed: Callable[[], None],
        report: Callable[[str], None],
    ) -> Follower:
        """Returns the follower, not started yet. triton, key: of this server's own Triton. The rest: as Follower."""
        models = OwnTriton(self.view, lambda: RunningServer(triton, headers={KEY_METADATA: key}))
        return Follower(self.view.shared, self.adopted, models, restarts, changed, report)


@contextmanager
def opened_replica(shared: Path, patience: float, report: Callable[[str], None]) -> Iterator[Replica]:
    """Yields a replica with a view of the committed generation, and removes the view in the end.

    Waits for files that are not here yet. Raises ServeError, naming one, if that takes longer than `patience` seconds,
    and BuildError if registry.json is damaged.
    """
    folder = new_temporary_folder()
    try:
        mark = RunMark(folder)
    except OSError as error:
        remove_folder(folder)
        raise ServeError(f"the server cannot be started: {error}") from error
    try:
        view = View(folder / "repository", shared)
        yield Replica(view, _built(view, patience, report))
    finally:
        remove_folder(folder)
        mark.remove()


def _built(view: View, patience: float, report: Callable[[str], None]) -> Generation:
    file = GenerationFile(view.shared / REGISTRY)
    deadline = time.monotonic() + patience
    reported = ""
    while True:
        try:
            generation = file.read()
            if generation is None:
                raise BuildError(f"{view.shared} holds no {REGISTRY}: run espalier build first.")
            view.build(generation)
            return generation
        except NotHereError as error:
            if time.monotonic() > deadline:
                raise ServeError(
                    f"{view.shared} was not whole after {patience:g} seconds: {error} Mend the folder, or raise "
                    "--startup-timeout if it shows changes late."
                ) from error
            if str(error) != reported:
                report(f"waiting: {error}")
            reported = str(error)
            time.sleep(_AGAIN_SECONDS)
