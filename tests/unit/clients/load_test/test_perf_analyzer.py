import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from clients.address import parse_address
from clients.credentials import Credentials
from clients.load_test import perf_analyzer
from clients.load_test.errors import LoadTestUnavailable
from clients.load_test.load import Concurrency, Rate
from clients.load_test.perf_analyzer import (
    arguments,
    credential_arguments,
    environment,
    find_perf_analyzer,
    load_arguments,
    window_arguments,
)

_SCHEDULE = Path("schedule")
HERE = parse_address("127.0.0.1:8001")


def test_without_a_program_the_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LoadTestUnavailable, match=r"needs perf_analyzer.*extra `build`"):
        find_perf_analyzer()
    (tmp_path / "perf_analyzer").touch()
    assert find_perf_analyzer() == tmp_path / "perf_analyzer"


def test_the_libraries_of_the_wheel_are_linked_under_the_names_that_the_program_asks_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wheel = tmp_path / "nvidia_pytriton.libs"
    wheel.mkdir()
    for name in ("libb64-98cb6333.so.0d", "libcudart-09529672.so.12.6.77", "libssl-57118d4e.so.3"):
        (wheel / name).touch()
    links = tmp_path / "links"
    links.mkdir()

    class Wheel:
        def locate_file(self, name: str) -> Path:
            return tmp_path / name

    monkeypatch.setattr(perf_analyzer, "distribution", lambda _: Wheel())
    found = environment(HERE, links, {"LD_LIBRARY_PATH": "/mine", "HOME": "/h"})
    assert found == {"LD_LIBRARY_PATH": f"{links}:/mine", "HOME": "/h"}
    assert {link.name: link.resolve().name for link in links.iterdir()} == {
        "libb64.so.0d": "libb64-98cb6333.so.0d",
        "libcudart.so.12": "libcudart-09529672.so.12.6.77",
    }


def test_without_the_wheel_the_machine_s_own_libraries_are_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(perf_analyzer, "distribution", missing)
    assert environment(HERE, tmp_path, {"LD_LIBRARY_PATH": "/mine"}) == {"LD_LIBRARY_PATH": "/mine"}


@pytest.mark.parametrize(
    ("protocol", "url", "target", "spoken"),
    [
        ("grpc", "host:1", "host:1", ["-i", "grpc"]),
        ("http", "http://host:1/triton/", "host:1/triton", ["-i", "http"]),
        ("stream", "[::1]:1", "[::1]:1", ["-i", "grpc", "--streaming"]),
    ],
)
def test_each_protocol_reaches_its_address(protocol: str, url: str, target: str, spoken: list[str]) -> None:
    given = arguments(parse_address(url), "m", Path("in.json"), protocol, Path("out.json"))
    assert given[:4] == ["-m", "m", "-u", target]
    assert all(part in given for part in [*spoken, "in.json", "out.json"])
    assert ("--streaming" in given) == (protocol == "stream")


def test_callers_of_streams_get_a_thread_each_and_a_rate_never_waits_for_answers() -> None:
    assert load_arguments(Concurrency(32), "http", _SCHEDULE) == ["--concurrency-range", "32"]
    assert load_arguments(Concurrency(32), "stream", _SCHEDULE)[2:] == ["--max-threads", "32"]
    given = load_arguments(Rate(5.0), "grpc", _SCHEDULE)
    assert given[:2] == ["--request-intervals", "schedule"]
    assert "--async" in given


def test_the_window_covers_the_seconds_although_it_is_a_fifth_longer_than_asked_for() -> None:
    interval = int(window_arguments(12.0)[1])
    assert interval * 1.2 == pytest.approx(12_000, abs=1)


def test_a_server_on_this_machine_is_loaded_without_the_proxy_of_the_environment(tmp_path: Path) -> None:
    proxies = {"http_proxy": "http://p:1", "GRPC_PROXY": "http://p:1", "https_proxy": "http://p:1"}
    (tmp_path / "near").mkdir()
    (tmp_path / "far").mkdir()

    assert not proxies.keys() & environment(HERE, tmp_path / "near", proxies | {"HOME": "/h"}).keys()


def test_another_server_is_loaded_as_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://p:1")
    monkeypatch.delenv("no_proxy", raising=False)

    found = environment(parse_address("api.example.org"), tmp_path, {"http_proxy": "http://p:1"})

    assert found["http_proxy"] == "http://p:1"


def test_key_and_certificates_go_to_perf_analyzer_as_it_takes_them():
    credentials = Credentials.of("k1", "ca.pem", ("c.pem", "k.pem"))
    key = ["-H", "authorization:Bearer k1"]

    assert credential_arguments(parse_address("host:1"), Credentials()) == []
    assert credential_arguments(parse_address("host:1"), credentials) == key
    assert credential_arguments(parse_address("grpcs://host:1"), credentials) == [
        *key,
        *("--ssl-grpc-use-ssl", "true"),
        *("--ssl-grpc-root-certifications-file", "ca.pem"),
        *("--ssl-grpc-certificate-chain-file", "c.pem"),
        *("--ssl-grpc-private-key-file", "k.pem"),
    ]
    assert credential_arguments(parse_address("https://host:1"), credentials) == [
        *key,
        *("--ssl-https-ca-certificates-file", "ca.pem"),
        *("--ssl-https-client-certificate-file", "c.pem"),
        *("--ssl-https-private-key-file", "k.pem"),
    ]
    assert "https://host:1" in arguments(parse_address("https://host:1"), "m", Path("i"), "http", Path("o"))
