from pathlib import Path

import pytest

from build_tools.errors import BuildError
from build_tools.serving.errors import ServeError
from build_tools.serving.exposure import check_files, choose_exposure
from build_tools.serving.gate.settings import Tls

_CERT, _KEY, _CA, _KEYS = Path("cert.pem"), Path("key.pem"), Path("ca.pem"), Path("keys.json")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2", "::1"])
def test_on_one_s_own_machine_nothing_needs_to_be_said(host: str) -> None:
    exposure = choose_exposure(host)

    assert (exposure.keys, exposure.tls, exposure.lines) == (None, None, ())


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, r"--tls-cert and --tls-key and --keys or --client-ca, or --insecure"),
        ({"keys": _KEYS}, r"travel unencrypted: give --tls-cert and --tls-key, or --insecure"),
        ({"tls_cert": _CERT, "tls_key": _KEY}, r"may ask: give --keys or --client-ca, or --insecure"),
    ],
)
@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_other_machines_are_let_in_only_if_that_is_said(host: str, options: dict[str, Path], named: str) -> None:
    with pytest.raises(ServeError, match=named):
        choose_exposure(host, **options)

    assert any(line.startswith("INSECURE: ") for line in choose_exposure(host, **options, insecure=True).lines)


@pytest.mark.parametrize("identity", [{"keys": _KEYS}, {"client_ca": _CA}])
def test_tls_and_an_identity_make_other_machines_safe(identity: dict[str, Path]) -> None:
    exposure = choose_exposure("0.0.0.0", tls_cert=_CERT, tls_key=_KEY, **identity)

    absolute = {name: file.absolute() for name, file in identity.items()}
    assert exposure.tls == Tls(certificate=_CERT.absolute(), key=_KEY.absolute(), client_ca=absolute.get("client_ca"))
    assert exposure.keys == absolute.get("keys")
    assert exposure.lines[0] == "Other machines can ask (--host 0.0.0.0), and read the metrics without a key."
    assert not any("INSECURE" in line for line in exposure.lines)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"tls_cert": _CERT}, "--tls-cert needs --tls-key"),
        ({"tls_key": _KEY}, "--tls-key needs --tls-cert"),
        ({"client_ca": _CA}, "--client-ca needs --tls-cert"),
    ],
)
def test_half_of_what_tls_needs_is_named(options: dict[str, Path], named: str) -> None:
    with pytest.raises(ServeError, match=named):
        choose_exposure("127.0.0.1", **options)


def test_a_host_that_does_not_exist_is_named() -> None:
    with pytest.raises(ServeError, match=r"cannot listen on no-such-host\.invalid"):
        choose_exposure("no-such-host.invalid")


def test_files_that_cannot_be_used_are_named_before_anything_is_loaded(tmp_path: Path) -> None:
    missing = tmp_path / "missing"

    check_files(choose_exposure("127.0.0.1"))
    with pytest.raises(BuildError, match=f"there is no file of keys {missing}: make it with `espalier keys add"):
        check_files(choose_exposure("127.0.0.1", keys=missing))
    with pytest.raises(BuildError, match=f"{missing} cannot be read: No such file"):
        check_files(choose_exposure("127.0.0.1", tls_cert=missing, tls_key=missing))
