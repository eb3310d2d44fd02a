"""A gate that only listens and shows that it lives: `python -m stand_in_gate SETTINGS.json`.

SETTINGS: {"port": number, "state": file, "beats": whether it shows that it lives, "fails": whether it ends at once}.
"""

import json
import os
import socket
import sys
import time
from pathlib import Path

from build_tools.serving.gate.beat import GateBeat


def main(settings: dict) -> None:
    """Runs until it is killed."""
    if settings["fails"]:
        sys.exit("there is no certificate")
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", settings["port"]))
    listener.listen()
    beat = GateBeat(Path(settings["state"]), os.getpid())
    beat.beat()
    while True:
        time.sleep(0.05)
        if settings["beats"]:
            beat.beat()


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
