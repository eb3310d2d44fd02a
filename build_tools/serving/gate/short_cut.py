"""The way of most HTTP requests, past the framework's look-up of paths and its layers.

These cost more than all that the gate itself does for a request. The framework still has the same endpoints: it
describes them at /docs, and answers whatever does not fit here.
"""

import re
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

_PATH = re.compile(r"/v2/models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?/(?P<endpoint>\w+)")


class ShortCut:
    """An ASGI app that hands POSTs to a model's endpoints straight to them, and the rest to `app`.

    endpoints: by the last part of the path. They raise nothing, and read the path's parts from `request.path_params`.
    """

    def __init__(self, app: ASGIApp, endpoints: Mapping[str, Callable[[Request], Awaitable[Response]]]) -> None:
        self._app = app
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        found = _PATH.fullmatch(scope["path"]) if is_post else None
        endpoint = self._endpoints.get(found["endpoint"]) if found else None
        if found is None or endpoint is None:
            await self._app(scope, receive, send)
            return
        scope["path_params"] = {"model": found["model"], "version": found["version"] or ""}
        response = await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)
