"""What the page at /docs says of each endpoint (OpenAPI 3.1)."""

from typing import Any

DESCRIPTION = """
One frozen trunk, many task branches. Ask `nlu` for all tasks at once, `nlu_stream` for one answer per task as soon as
each is there, or a task by its name for tensors. The protocol is KServe v2 with Triton's extension *generate*.

Headers: `authorization: Bearer KEY` where the server asks for keys; `x-request-id`, which comes back in answers and
errors; `x-request-timeout-ms`, the time that you wait; `traceparent` (W3C). Errors are `{"error": "one sentence"}`.
"""

_STRING = {"type": "string"}
_ONE_OR_MANY = {"anyOf": [_STRING, {"type": "array", "items": _STRING, "minItems": 1, "maxItems": 64}]}
_PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "timeout": {"type": "integer", "minimum": 0, "description": "microseconds that the caller waits"},
        "priority": {"type": "integer", "enum": [0, 1, 2], "description": "2 waits while others ask"},
    },
    "additionalProperties": False,
}
_GENERATE = {
    "type": "object",
    "required": ["text"],
    "properties": {
        "text": {**_ONE_OR_MANY, "description": "a text, or a list of up to 64"},
        "pair": {**_ONE_OR_MANY, "description": "for tasks that compare two texts: the second one of each"},
        "tasks": {**_ONE_OR_MANY, "description": "names joined by commas; all if left out"},
        "all_scores": {"description": "true: the score of every label", "type": ["boolean", "array"]},
        "id": _STRING,
        "parameters": _PARAMETERS,
    },
    "additionalProperties": False,
    "example": {"text": "wake me at seven", "tasks": "intent"},
}
_TENSOR = {
    "type": "object",
    "required": ["name", "datatype", "shape"],
    "properties": {
        "name": {"type": "string", "enum": ["text", "pair", "tasks", "all_scores"]},
        "datatype": {"type": "string", "enum": ["BYTES", "BOOL"]},
        "shape": {"type": "array", "items": {"type": "integer"}, "description": "[B, 1]; [B] where a task is asked"},
        "data": {"type": "array", "items": {}},
        "parameters": {"type": "object", "properties": {"binary_data_size": {"type": "integer"}}},
    },
    "additionalProperties": False,
}
_INFER = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": _STRING,
        "inputs": {"type": "array", "items": _TENSOR},
        "outputs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": _STRING,
                    "parameters": {"type": "object", "properties": {"binary_data": {"type": "boolean"}}},
                },
            },
        },
        "parameters": {
            **_PARAMETERS,
            "properties": {**_PARAMETERS["properties"], "binary_data_output": {"type": "boolean"}},
        },
    },
    "additionalProperties": False,
    "example": {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1, 1], "data": ["wake me at seven"]}]},
}
_BODIES = {"infer": _INFER, "generate": _GENERATE, "generate_stream": _GENERATE}
_SUMMARIES = {
    "server_metadata": "Name, version and extensions of the server",
    "live": "200 while the server's processes are alive",
    "ready": "200 while requests are taken, else 503",
    "task_ready": "200 while the task's live version answers, else 503. For alerts",
    "state": "What the server says of itself, for who has the control key: what it has adopted, and what it counts",
    "tasks": "The tasks that the caller may ask: their versions, and where these sit on the trunk",
    "all_stats": "Statistics of all models",
    "infer": "KServe v2 inference, with JSON or binary tensors",
    "generate": "One JSON object of inputs, one of outputs",
    "generate_stream": "The same as server-sent events: with nlu_stream one for each task, as soon as it is answered",
    "metadata": "Inputs and outputs of the model",
    "config": "The model's configuration in Triton",
    "stats": "The model's statistics in Triton",
    "model_ready": "200 while the model is ready, else 400",
}
_ERROR = {
    "content": {
        "application/json": {
            "schema": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
        }
    }
}
_ERRORS = {
    400: "The request is wrong: the sentence says how to mend it",
    401: "A key is missing or unknown",
    403: "The key may not ask this task",
    404: "There is no such model to ask",
    408: "The body did not come in time",
    413: "The body is too large",
    429: "Too many requests of this key at once",
    500: "The server failed on a good request",
    503: "The server cannot answer now: ask again",
}


def described(name: str, path: str) -> dict[str, Any]:
    """Returns the description of the endpoint, for FastAPI's openapi_extra."""
    parameters = [
        {"name": part, "in": "path", "required": True, "schema": _STRING}
        for part in ("model", "version", "task")
        if f"{{{part}}}" in path
    ]
    said: dict[str, Any] = {"summary": _SUMMARIES[name], "parameters": parameters, "responses": {"200": _ok(name)}}
    if name in _BODIES:
        said["requestBody"] = {"required": True, "content": {"application/json": {"schema": _BODIES[name]}}}
        said["responses"] |= {str(status): {"description": text, **_ERROR} for status, text in _ERRORS.items()}
    return said


def _ok(name: str) -> dict[str, Any]:
    if name == "generate_stream":
        return {"description": "A stream of events", "content": {"text/event-stream": {"schema": _STRING}}}
    if name in ("live", "ready", "task_ready", "model_ready"):
        return {"description": "Yes"}
    return {"description": "The answer", "content": {"application/json": {"schema": {"type": "object"}}}}
