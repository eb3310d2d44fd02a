"""POSTs to a model's endpoints take the short way, with the same parts of the path; all else the framework's."""

import asyncio

import pytest
from fastapi import Request, Response

from build_tools.serving.gate.short_cut import ShortCut


async def _framework(scope: dict, receive: object, send: object) -> None:
    await Response("the framework")(scope, receive, send)  # type: ignore[arg-type]


async def _endpoint(request: Request) -> Response:
    return Response(f"{request.path_params['model']} {request.path_params['version']}".strip())


@pytest.mark.parametrize(
    ("verb", "path", "answer"),
    [
        ("POST", "/v2/models/nlu/infer", "nlu"),
        ("POST", "/v2/models/nlu/versions/1/infer", "nlu 1"),
        ("GET", "/v2/models/nlu/infer", "the framework"),
        ("POST", "/v2/models/nlu/config", "the framework"),
        ("POST", "/v2/models/nlu/x/infer", "the framework"),
        ("POST", "/v2/models//infer", "the framework"),
        ("POST", "/v2/models/nlu/infer/", "the framework"),
        ("POST", "/", "the framework"),
    ],
)
def test_a_request_goes_its_way(verb: str, path: str, answer: str) -> None:
    sent: list[dict] = []

    async def ask() -> None:
        async def send(event: dict) -> None:
            sent.append(event)

        scope = {"type": "http", "method": verb, "path": path, "headers": []}
        await ShortCut(_framework, {"infer": _endpoint})(scope, None, send)  # type: ignore[arg-type]

    asyncio.run(ask())
    assert sent[-1]["body"].decode() == answer
