"""Several teams publish at the same moment: `python publish_at_once.py REPOSITORY URL CHECKPOINT...`.

Prints what each publish returned, a line each.
"""

import os
import sys
from pathlib import Path

from build_tools.publishing.publish import publish
from build_tools.publishing.running_server import RunningServer
from build_tools.repository.control_key import read_control_key


def main(repository: Path, url: str, checkpoints: list[Path]) -> None:
    """Each is a process of its own, forked off before anything has started a thread."""
    for checkpoint in checkpoints:
        if os.fork() == 0:
            with RunningServer(url, read_control_key(repository)) as server:
                print(*publish(checkpoint, repository, server), flush=True)
            os._exit(0)
    statuses = [os.wait()[1] for _ in checkpoints]
    sys.exit(any(statuses))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], [Path(one) for one in sys.argv[3:]])
