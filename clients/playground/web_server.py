"""Serves the page on loopback, to browsers that asked for loopback, and lets it load nothing from elsewhere."""

import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from clients.errors import RequestRejected

if TYPE_CHECKING:
    import gradio as gr

_ADDRESS = "127.0.0.1"
# Another site can give its own name this machine's address, and would then be answered with the client's key.
_HOSTS = [_ADDRESS, "localhost"]
_POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
)

Message = MutableMapping[str, Any]
Asgi = Callable[[Any, Any, Callable[[Message], Awaitable[None]]], Awaitable[None]]


def listen(port: int) -> socket.socket:
    """Returns a socket that listens on loopback. port: 0 picks a free one. Raises RequestRejected if it is in use."""
    try:
        return socket.create_server((_ADDRESS, port))
    except OSError as error:
        raise RequestRejected(f"port {port} cannot be used ({error.strerror}): give another one as --port") from None


def serve(page: "gr.Blocks", listener: socket.socket, **looks: Any) -> None:
    """Serves the page until Ctrl-C or SIGTERM. looks: arguments of gradio.mount_gradio_app."""
    import gradio as gr  # here, because it takes seconds: whether there is a port is said before
    import uvicorn
    from fastapi import FastAPI
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app = gr.mount_gradio_app(app, page, path="/", footer_links=[], ssr_mode=False, **looks)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=_HOSTS)
    config = uvicorn.Config(_WithPolicy(app), log_level="warning", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run([listener])


class _WithPolicy:
    """Adds the content security policy to every response."""

    def __init__(self, app: Asgi) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Callable[[Message], Awaitable[None]]) -> None:
        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"content-security-policy", _POLICY.encode())]
            await send(message)

        await self._app(scope, receive, with_policy)
