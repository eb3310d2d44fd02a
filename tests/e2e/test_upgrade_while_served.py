"""A repository of an earlier release is upgraded while a real Triton serves it: nobody notices."""

import re
import shutil
import threading
from pathlib import Path

from earlier_release import make_earlier
from untrained import save_untrained, tiny_encoder

from build_tools.build.builder import build
from build_tools.publishing.running_server import RunningServer
from build_tools.publishing.upgrade import upgrade
from build_tools.publishing.verify import verify, wrong_answers
from build_tools.repository.code_check import check_code
from build_tools.repository.serving_lock import held_to_serve
from build_tools.serving.triton.server import TritonServer
from clients import Client


def _loads(log: Path, model: str) -> int:
    return len(re.findall(rf"TRITONBACKEND_ModelInstanceInitialize: {model}_\d+_0 ", log.read_text()))


def test_no_request_fails_and_the_new_code_is_loaded(tmp_path: Path) -> None:
    encoder = tiny_encoder(tmp_path / "encoder")
    checkpoint = save_untrained(tmp_path / "checkpoints/intent", encoder, "intent")
    repository, log = tmp_path / "repository", tmp_path / "triton.log"
    build([checkpoint], repository)
    make_earlier(repository)
    shutil.rmtree(tmp_path / "encoder")  # an upgrade needs no encoder
    failures: list[Exception] = []
    answers: list[str] = []
    stop = threading.Event()

    def ask(url: str) -> None:
        with Client(url) as client:
            while not stop.is_set():
                try:
                    answers.append(client.predict("a b c")["intent"].label)
                except Exception as error:
                    failures.append(error)

    with (
        held_to_serve(repository, lambda: None, print),
        TritonServer(repository, log_file=log) as server,
        RunningServer(server.grpc_url) as triton,
    ):
        asker = threading.Thread(target=ask, args=[server.grpc_url])
        asker.start()
        try:
            assert upgrade(repository, triton, [checkpoint])
            seen = len(answers)
            assert wrong_answers(repository, triton) == []
            while len(answers) < seen + 20 and not failures:
                stop.wait(0.1)
        finally:
            stop.set()
            asker.join()

    assert failures == []
    assert len(set(answers)) == 1
    assert {model: _loads(log, model) for model in ("nlu", "nlu_stream", "trunk", "branch_intent")} == {
        "nlu": 2,
        "nlu_stream": 2,
        "trunk": 2,
        "branch_intent": 2,
    }
    check_code(repository)
    assert verify(repository) == []
