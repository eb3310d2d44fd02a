"""The verb `espalier playground`."""

import os
from importlib.util import find_spec
from typing import Annotated

import typer

from clients.address import parse_address
from clients.client import Client
from clients.credentials import Credentials
from clients.errors import RequestRejected


def playground(
    url: Annotated[
        str, typer.Option(help="HTTP address of the server, http:// or https://.")
    ] = "http://localhost:8000",
    port: Annotated[int, typer.Option(help="Port of the page on this machine; 0 picks a free one.")] = 7860,
) -> None:
    """Open a web page on this machine: type a text, see every task's answer.

    A client key is read from ESPALIER_KEY or the file ESPALIER_KEY_FILE, an authority from ESPALIER_CA, a client
    certificate from ESPALIER_CERT and ESPALIER_CERT_KEY. Whoever reaches the page asks with this key.
    """
    from clients.served_tasks import served_tasks  # here, because who asks over gRPC loads no HTTP

    credentials = Credentials.of_command_line(parse_address(url))
    served_tasks(url, credentials)  # says what is wrong with address or key before a page is there
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    if find_spec("gradio") is None:
        raise RequestRejected(
            "the playground needs Gradio: install Espalier with its extra `playground` (pip install '.[playground]' in "
            "its folder)"
        )
    from clients.playground.web_server import listen, serve

    with listen(port) as listener, Client(url, **credentials.arguments) as client:
        from clients.playground.asking import Asking
        from clients.playground.page import looks, make_page

        page = make_page(Asking(url, credentials, client), url)
        typer.echo(f"The playground is at http://127.0.0.1:{listener.getsockname()[1]}")
        typer.echo("Ctrl-C stops.")
        serve(page, listener, **looks())
