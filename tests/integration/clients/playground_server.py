"""A stand-in for a served repository with a canary: `python playground_server.py` prints its HTTP port.

It answers by what the text is, so that a test knows what the page must show. Texts with an odd number of characters
get the canary's answer for the task `intent`.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PLACE = {"trunk": "trunk", "tap": 3, "layers": 2}
TASKS = {
    "intent": {
        "kind": "classification",
        "live": 1,
        "canary": {"version": 2, "share": 0.5},
        "shadow": None,
        "versions": {"1": PLACE, "2": PLACE | {"layers": 3}},
    },
    "slots": {"kind": "tagging", "live": 4, "canary": None, "shadow": 5, "versions": {"4": PLACE | {"tap": 5}}},
    "same": {"kind": "pair_classification", "live": 1, "canary": None, "shadow": None, "versions": {"1": PLACE}},
}


def answers(text: str, pair: str | None) -> dict[str, dict[str, object]]:
    """{task: answer}."""
    version = 2 if len(text) % 2 else 1
    scores = {"alarm": 0.9, "<b>music</b>": 0.1} if version == 1 else {"alarm": 0.3, "<b>music</b>": 0.7}
    label = max(scores, key=scores.__getitem__)
    word = text.split()[0]
    span = {"start": 0, "end": len(word), "text": word, "label": "what", "score": 0.75}
    same = {"label": "yes", "score": 0.8, "scores": {"yes": 0.8, "no": 0.2}, "version": 1}
    return {
        "intent": {"label": label, "score": scores[label], "scores": scores, "version": version},
        "slots": {"spans": [span], "version": 4},
        "same": same if pair else {"error": "the task same compares two texts: give a pair."},
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(TASKS)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("generate_stream"):
            found = answers(body["text"], body.get("pair"))
            rows = [json.dumps({"tasks": {task: answer}}) for task, answer in found.items()]
            events = [f"data: {json.dumps({'id': body['id'], 'result': row})}\n\n" for row in rows]
            self._send("text/event-stream", "".join(events))
            return
        columns = {column["name"]: column["data"] for column in body["inputs"]}
        asked = columns["tasks"][0].split(",")
        found = [answers(text, None) for text in columns["text"]]
        rows = [json.dumps({"tasks": {task: one[task] for task in asked}}) for one in found]
        self._answer({"id": body["id"], "outputs": [{"name": "result", "data": rows}]})

    def _answer(self, content: object) -> None:
        self._send("application/json", json.dumps(content))

    def _send(self, kind: str, content: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content.encode())))
        self.end_headers()
        self.wfile.write(content.encode())

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()  # until the test closes it
