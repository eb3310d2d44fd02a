import socket
from pathlib import Path

import pytest

from build_tools.serving.errors import ServeError
from build_tools.serving.triton.ports import choose_ports, ipv4_address

HOST = "127.0.0.1"


def test_free_ports_differ_and_can_be_listened_on():
    ports = choose_ports(HOST, {"grpc": None, "http": None, "metrics": None})

    assert len(set(ports.values())) == 3
    for port in ports.values():
        with socket.create_server((HOST, port)):
            pass


def test_a_free_port_is_none_that_a_connection_may_get_before_the_server_listens():
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    if first <= 20_000:
        pytest.skip("connections may get nearly all ports of this machine")

    assert all(choose_ports(HOST, {"grpc": None})["grpc"] < first for _ in range(20))


def test_a_given_port_is_kept():
    port = choose_ports(HOST, {"grpc": None})["grpc"]

    assert choose_ports(HOST, {"http": None, "grpc": port})["grpc"] == port


def test_a_port_in_use_is_named_with_its_endpoint():
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(ServeError, match=f"port {port} for http is in use"):
            choose_ports(HOST, {"grpc": None, "http": port})


def test_one_port_for_two_endpoints_is_refused():
    port = choose_ports(HOST, {"grpc": None})["grpc"]

    with pytest.raises(ServeError, match=f"port {port} is given more than once"):
        choose_ports(HOST, {"grpc": port, "http": port})


def test_a_port_beyond_the_range_is_one_clear_error():
    with pytest.raises(ServeError, match="70000"):
        choose_ports(HOST, {"grpc": 70000})


def test_a_name_becomes_an_address():
    assert ipv4_address("localhost") == HOST


def test_an_unknown_host_is_named():
    with pytest.raises(ServeError, match=r"no-such-host\.invalid"):
        ipv4_address("no-such-host.invalid")
