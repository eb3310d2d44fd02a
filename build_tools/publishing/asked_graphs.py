"""Trunk and branch of a new version, as graphs that its golden examples can go through."""

from build_tools.golden.runnable import Runnable
from build_tools.publishing.served_graph import ServedGraph
from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.staged_trunk import load_trunk
from build_tools.repository.in_memory import hidden_source
from build_tools.repository.registry import Registry, VersionEntry
from build_tools.repository.triton_config import GRAPH_FILE, NEWEST


def asked_graphs(
    served: ServedRepository, after: Registry, version: VersionEntry, number: int
) -> tuple[Runnable, Runnable]:
    """Returns those that the server has loaded; where no server runs, the files in the repository, loaded here.

    after: the registry with the version in it.
    """
    if served.server.is_running:
        source = hidden_source(after, version.trunk, version.tap)
        return ServedGraph(served.server, source, NEWEST), ServedGraph(served.server, version.model, number)
    from build_tools.precision.load_graph import load_graph  # loads both runtimes, which a running server spares us

    trunk, runtime = after.trunks[version.trunk], after.runtime
    branch = served.folder / version.model / str(number) / GRAPH_FILE
    return (
        load_trunk(served.folder / version.trunk / str(trunk.version), trunk, runtime),
        load_graph(branch, ["logits"], runtime, version.precision),
    )
