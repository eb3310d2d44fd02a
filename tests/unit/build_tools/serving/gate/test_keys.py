import json
import os
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from build_tools.errors import BuildError
from build_tools.serving.gate.access import Caller
from build_tools.serving.gate.key_file import ClientKey, KeyFile, read_key_file, sha256_of, write_key_file
from build_tools.serving.gate.keys import KeyAccess
from build_tools.serving.gate.refusal import Code, RefusedError

_TEAM = ClientKey(name="team", sha256=sha256_of("k1"), tasks=("intent", "slots"), max_in_flight=8)
_ALL = ClientKey(name="all", sha256=sha256_of("k2"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_key_file(tmp_path / "keys.json", KeyFile(keys=(_TEAM, _ALL)))
    return tmp_path / "keys.json"


def _refused(access: KeyAccess, authorization: str | None) -> str:
    with pytest.raises(RefusedError) as refusal:
        access.identify(authorization)
    assert refusal.value.code is Code.UNAUTHENTICATED
    return refusal.value.sentence


@pytest.mark.parametrize("form", ["Bearer k1", "bearer k1", " Bearer  k1 ", "BEARER k1"])
def test_a_key_is_known_with_its_tasks_and_bound(file: Path, form: str) -> None:
    assert KeyAccess(file).identify(form) == Caller("team", frozenset({"intent", "slots"}), 8)


def test_a_key_without_bounds_may_ask_all(file: Path) -> None:
    assert KeyAccess(file).identify("Bearer k2") == Caller("all")


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "k1",
        "Bearer",
        "Bearer ",
        "Basic k1",
        "Bearer k",
        "Bearer k12",
        "Bearer ü",
        f"Bearer {sha256_of('k1')}",
    ],
)
def test_everything_else_is_refused_and_never_repeated(file: Path, authorization: str | None) -> None:
    sentence = _refused(KeyAccess(file), authorization)

    assert "k1" not in sentence
    assert "ü" not in sentence


def test_a_key_that_is_removed_is_refused_within_a_second_and_a_new_one_is_let_in(file: Path) -> None:
    access = KeyAccess(file)
    write_key_file(file, KeyFile(keys=(_ALL.model_copy(update={"sha256": sha256_of("k3")}),)))
    access.look()

    _refused(access, "Bearer k1")
    assert access.identify("Bearer k3").name == "all"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"keys": [{"name": "a"}]}', b'{"format_version": 2}', None])
def test_a_damaged_new_file_leaves_the_last_good_one_in_force_and_raises_an_alarm(
    file: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    access = KeyAccess(file)
    before = REGISTRY.get_sample_value("espalier_gate_files_rejected_total", {"file": "keys"}) or 0
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    access.look()

    assert access.identify("Bearer k1").name == "team"
    alarms = (REGISTRY.get_sample_value("espalier_gate_files_rejected_total", {"file": "keys"}) or 0) - before
    assert alarms == (content is not None)  # a file that is just being replaced is no alarm
    assert (f"{file} stays as it was" in caplog.text) == (content is not None)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ({"name": "a/b"}, "keys.0.name"),
        ({"sha256": "secret-that-was-pasted"}, "keys.0.sha256"),
        ({"tasks": []}, "keys.0.tasks"),
        ({"max_in_flight": 0}, "keys.0.max_in_flight"),
        ({"key": "secret-that-was-pasted"}, "keys.0.key"),
    ],
)
def test_a_damaged_file_is_told_by_its_place_and_without_what_stands_there(
    file: Path, key: dict[str, object], said: str
) -> None:
    file.write_text(json.dumps({"keys": [{"name": "a", "sha256": "0" * 64} | key]}))

    with pytest.raises(BuildError) as error:
        KeyAccess(file)

    assert said in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("change", [{"name": "team"}, {"sha256": _TEAM.sha256}])
def test_two_clients_cannot_share_a_name_or_a_key(file: Path, change: dict[str, str]) -> None:
    both = [_TEAM.model_dump(), _ALL.model_dump() | change]
    file.write_text(json.dumps({"keys": both}))

    with pytest.raises(BuildError, match="two keys have the"):
        read_key_file(file)


def test_only_the_owner_may_read_the_file_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_key_file(tmp_path / "keys.json", KeyFile())
    finally:
        os.umask(before)

    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
