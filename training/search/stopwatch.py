"""Wall and processor time of a part of a search."""

import time


class Stopwatch:
    """Runs from its making on."""

    def __init__(self) -> None:
        self._wall, self._processor = time.perf_counter(), time.process_time()

    @property
    def seconds(self) -> float:
        """Wall seconds so far."""
        return time.perf_counter() - self._wall

    @property
    def processor_seconds(self) -> float:
        """Processor seconds of all threads of this process so far."""
        return time.process_time() - self._processor
