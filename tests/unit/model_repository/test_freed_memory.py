import threading
import time
from types import SimpleNamespace

import freed_memory
import psutil
import pytest
from freed_memory import FreedMemory, give_back
from text_tokenizer import TextTokenizer

PATIENCE = 10.0


def _megabytes():
    return psutil.Process().memory_info().rss / 1e6


def test_what_tokenizing_has_freed_goes_back_to_the_system(tokenizer_file):
    tokenizer = TextTokenizer(tokenizer_file, 64)
    give_back()
    before = _megabytes()
    tokenizer.encode([("a b " * 25_000, None)] * 4)
    grown = _megabytes() - before

    give_back()

    assert grown > 20, "else this test proves nothing"
    assert _megabytes() - before < grown / 2


@pytest.mark.parametrize(("characters", "times"), [(100, 0), (100_000, 1)])
def test_only_batches_of_long_texts_are_followed_by_it_and_many_of_them_once(monkeypatch, characters, times):
    given_back = []
    monkeypatch.setattr(freed_memory, "give_back", lambda: given_back.append(threading.current_thread()))
    pause_ends = threading.Event()
    monkeypatch.setattr(freed_memory, "time", SimpleNamespace(sleep=lambda _: pause_ends.wait()))
    memory = FreedMemory()

    for _ in range(20):
        memory.after(characters)
    pause_ends.set()

    deadline = time.monotonic() + PATIENCE
    while len(given_back) < times and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    assert len(given_back) == times
    assert threading.current_thread() not in given_back, "no batch waits for it"
