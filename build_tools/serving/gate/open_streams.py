"""The gRPC streams that are open, so that those which wait for a request can be ended when the gate ends."""

import asyncio
from typing import Any

from tritonclient.grpc.aio import grpc


class OpenStreams:
    """Of one gate process."""

    def __init__(self) -> None:
        self._reading: set[asyncio.Task[Any]] = set()
        self._ends = False

    async def read(self, context: grpc.aio.ServicerContext) -> Any:
        """Returns the stream's next message, EOF after the last one, or None if the gate ends meanwhile."""
        task = asyncio.current_task()
        if self._ends or task is None:
            return None
        self._reading.add(task)
        try:
            return await context.read()
        except asyncio.CancelledError:
            if not self._ends:
                raise
            task.uncancel()
            return None
        finally:
            self._reading.discard(task)

    def end(self) -> None:
        """Reads no more requests. What has been read is answered."""
        self._ends = True
        for task in self._reading:
            task.cancel()
