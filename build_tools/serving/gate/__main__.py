"""`python -m build_tools.serving.gate SETTINGS.json`: runs one gate process until SIGTERM."""

import asyncio
import logging
import sys
from pathlib import Path

import uvloop

from build_tools.serving.gate.process import serve
from build_tools.serving.gate.settings import GateSettings
from espalier_errors import EspalierError


def main() -> None:
    """Reads the settings from the file that is named as the only argument."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s gate %(levelname)s %(message)s")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(GateSettings.read(Path(sys.argv[1]))))
    except (OSError, RuntimeError, EspalierError) as error:  # gRPC raises RuntimeError for a port
        sys.exit(f"the gate cannot serve: {error}")


if __name__ == "__main__":
    main()
