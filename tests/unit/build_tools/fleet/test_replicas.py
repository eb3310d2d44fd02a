"""With servers of the test's own, over real HTTP."""

import itertools
import json
import socket
import ssl
import threading
import time
from contextlib import ExitStack

import pytest
import trustme
from stand_in_fleet import StandIn, answering

from build_tools.errors import BuildError
from build_tools.fleet import asking
from build_tools.fleet import replicas as module
from build_tools.fleet.addresses import fleet_addresses
from build_tools.fleet.replicas import Replicas
from build_tools.repository.control_key import ensure_control_key
from build_tools.repository.registry import REGISTRY

KEY = "k" * 43


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A shared folder with a key, and just enough of a registry."""
    monkeypatch.setattr(module, "parse_registry", lambda content, _: _Registry(json.loads(content)))
    (tmp_path / REGISTRY).write_text('{"generation": 7}')
    ensure_control_key(tmp_path)
    return tmp_path


class _Registry:
    def __init__(self, content):
        self.generation = content["generation"]


@pytest.fixture
def ask(folder):
    """Starts stand-ins, and returns what asks them."""
    with ExitStack() as stack:

        def start(*stand_ins, more="", **given):
            urls = [stack.enter_context(answering(one, **given)) for one in stand_ins]
            key = (folder / "control.key").read_text().strip()
            return stack.enter_context(Replicas(fleet_addresses(",".join([*urls, *more.split()])), key))

        yield start


def _closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_each_server_is_heard_and_one_that_does_not_answer_is_told_with_the_reason(folder, ask):
    gone = f"127.0.0.1:{_closed_port()}"

    first, second, third = ask(StandIn(folder, "a"), StandIn(folder, "b"), more=gone).look()

    assert [one.state.server for one in (first, second)] == ["a", "b"]
    assert (first.state.generation, first.state.proposal, first.problem) == (7, None, "")
    assert (third.state, third.problem) == (None, "it cannot be reached (Connection refused)")
    assert third.name.endswith(gone)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"status": 404, "body": "{}"}, "it has no /state"),
        ({"status": 401, "body": "{}"}, "it asks for a client key: set ESPALIER_KEY"),
        ({"status": 503, "body": "{}"}, "it answers with HTTP status 503"),
        ({"body": "<html>"}, "its /state cannot be read"),
        ({"body": "[]"}, "its /state cannot be read"),
        ({"away": 1}, "it cannot be reached"),
    ],
)
def test_what_answers_otherwise_counts_as_a_server_that_does_not(folder, ask, given, problem):
    (found,) = ask(StandIn(folder, **given)).look()

    assert found.state is None
    assert not found.is_foreign
    assert found.problem.startswith(problem)


def test_fields_of_a_later_release_do_not_matter(folder, ask):
    stand_in = StandIn(folder)
    stand_in.body = json.dumps(stand_in.state().model_dump() | {"mood": "fine"})

    (found,) = ask(stand_in).look()

    assert found.state.generation == 7


def test_a_slow_server_does_not_hold_up_what_the_others_say(folder, ask, monkeypatch):
    may_answer = threading.Event()
    slow = StandIn(folder, "slow", on_asked=may_answer.wait)
    replicas = ask(StandIn(folder, "quick"), slow)
    monkeypatch.setattr(asking, "ASK_SECONDS", 30.0)

    deadline = time.monotonic() + 20
    quick, unheard = replicas.look(0.1)
    while quick.state is None and time.monotonic() < deadline:
        quick, unheard = replicas.look(0.1)
    assert quick.state.server == "quick"
    assert unheard.problem == "it has not answered yet"

    may_answer.set()
    _, heard = replicas.look(20)
    assert heard.state.server == "slow"
    assert slow.asked == 1  # not once more for each look


def test_a_server_with_two_addresses_counts_once(folder, ask):
    assert len(ask(StandIn(folder, "a"), StandIn(folder, "a"), StandIn(folder, "b")).look()) == 2


def test_each_address_behind_a_name_is_a_server_and_names_are_looked_up_again(folder, ask, monkeypatch):
    ips = ["127.0.0.1", "127.0.0.2"]

    def getaddrinfo(host, port, *_, **__):
        assert host == "fleet.test"
        if not ips:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ips]

    monkeypatch.setattr(module, "_LOOK_UP_SECONDS", 0.0)
    with answering(StandIn(folder, "a")) as url:
        port = int(url.rpartition(":")[2])
        with answering(StandIn(folder, "b"), "127.0.0.2", port), answering(StandIn(folder, "c"), "127.0.0.3", port):
            # Last, and with the addresses above already given, so that nothing else is looked up.
            real = socket.getaddrinfo
            monkeypatch.setattr(
                socket,
                "getaddrinfo",
                lambda host, *given, **more: (getaddrinfo if host == "fleet.test" else real)(host, *given, **more),
            )
            replicas = ask(more=f"http://fleet.test:{port}")
            found = replicas.look()
            assert [one.state.server for one in found] == ["a", "b"]
            assert found[1].name == f"http://fleet.test:{port} (127.0.0.2)"

            ips[:] = ["127.0.0.2", "127.0.0.3"]
            assert [one.state.server for one in replicas.look()] == ["b", "c"]

            ips.clear()
            found = replicas.look()
            assert [one.state.server for one in found] == ["b", "c"], "a fleet of one would need only one to agree"


def test_over_tls_the_environment_says_who_is_trusted(folder, ask, monkeypatch, tmp_path_factory):
    authority, other = trustme.CA(), trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    for name, one in (("right", authority), ("wrong", other)):
        one.cert_pem.write_to_path(tmp_path_factory.getbasetemp() / f"{name}.pem")

    with answering(StandIn(folder, "a"), tls=tls) as url:
        monkeypatch.setenv("ESPALIER_CA", str(tmp_path_factory.getbasetemp() / "right.pem"))
        (trusted,) = ask(more=f"https://{url}").look()
        monkeypatch.setenv("ESPALIER_CA", str(tmp_path_factory.getbasetemp() / "wrong.pem"))
        (untrusted,) = ask(more=f"https://{url}").look()

    assert trusted.state.server == "a"
    assert untrusted.problem.startswith(f"no trusted connection to https://{url} (")


def test_the_servers_of_this_folder_are_taken(folder, ask):
    ask(StandIn(folder, "a"), StandIn(folder, "late", says={"generation": 6, "sha256": "earlier"})).check(folder)


def test_a_registry_that_another_command_replaces_meanwhile_makes_no_server_one_of_a_copy(folder, ask, monkeypatch):
    def parse_and_replace(content, _):
        (folder / REGISTRY).write_text('{"generation": 8}')
        return _Registry(json.loads(content))

    monkeypatch.setattr(module, "parse_registry", parse_and_replace)
    ask(StandIn(folder, "a")).check(folder)


def test_a_server_of_another_repository_is_refused_by_name(folder, ask, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / REGISTRY).write_text('{"generation": 7}')
    ensure_control_key(other)
    replicas = ask(StandIn(folder, "a"), StandIn(other, "b"))

    with pytest.raises(BuildError, match=r"127\.0\.0\.1:\d+ is not of this fleet: .*serves another repository"):
        replicas.check(folder)


@pytest.mark.parametrize("says", [{"sha256": "another"}, {"generation": 8}])
def test_a_server_of_a_copy_is_refused(folder, ask, says):
    with pytest.raises(BuildError, match="is not of this fleet: it serves a copy of "):
        ask(StandIn(folder, "a", says=says)).check(folder)


def test_a_load_balancer_s_address_is_refused_because_it_hides_servers(folder, ask):
    names = itertools.cycle("ab")

    class Balanced(StandIn):
        def state(self):
            return super().state().model_copy(update={"server": next(names)})

    with pytest.raises(BuildError, match=r"leads to several servers \(a, b\), as a load balancer does"):
        ask(Balanced(folder)).check(folder)


def test_a_fleet_of_which_nobody_answers_is_told_with_each_reason(folder, ask):
    replicas = ask(StandIn(folder, status=404, body=""), more=f"127.0.0.1:{_closed_port()}")

    with pytest.raises(BuildError, match=r"no server of the fleet answers \(.*no /state.*; .*Connection refused\)"):
        replicas.check(folder)
