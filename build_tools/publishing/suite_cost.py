"""What all tasks of a repository cost together, beside an encoder for each of them."""

from collections.abc import Sequence

from build_tools.publishing.status import TaskStatus


def suite_cost(tasks: Sequence[TaskStatus]) -> str | None:
    """Returns one line: the layers and milliseconds of a text that asks for all tasks.

    None for fewer than two tasks, and if the layers are unknown. The trunk counts once, up to the deepest tap; with an
    encoder for each task it would count for each. The milliseconds of that are what so many layers of trunk and
    branches take here.
    """
    if len(tasks) < 2 or any(task.layers is None or task.own_layers is None for task in tasks):
        return None
    own = sum(task.own_layers or 0 for task in tasks)
    trunks = {trunk: [task for task in tasks if task.trunk == trunk] for trunk in {task.trunk for task in tasks}}
    shared = sum(max(task.layers or 0 for task in reading) for reading in trunks.values())
    alone = sum(task.layers or 0 for task in tasks)
    line = f"a text for all {len(tasks)} tasks: {shared} + {own} layers"
    times = [(task.milliseconds, task.trunk_milliseconds) for task in tasks]
    if any(None in pair for pair in times):
        return f"{line}; with an encoder for each task: {alone + own}"
    branches = sum(milliseconds or 0 for milliseconds, _ in times)
    below = sum(max(task.trunk_milliseconds or 0 for task in reading) for reading in trunks.values())
    below_alone = sum(milliseconds or 0 for _, milliseconds in times)
    return (
        f"{line}, {below + branches:.1f} ms; with an encoder for each task: {alone + own} layers, "
        f"about {below_alone + branches:.1f} ms"
    )
