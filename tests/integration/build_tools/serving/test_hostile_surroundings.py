"""The real tritonserver on paths, folders and environments that once kept it from starting or took part in it."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pytriton", reason="needs nvidia-pytriton: install the extra 'serving'")

import tritonclient.grpc as triton

from build_tools.publishing.running_server import RunningServer
from build_tools.serving.errors import ServeError
from build_tools.serving.triton.server import TritonServer

# Each part breaks Triton's command line by itself; $(...) and `...` would run a program.
HOSTILE = "a (1) 'b' \"c\" & $HOME; é 日本 `touch ran` $(touch ran)\n*?[x]#%25 {y} \\ ~"


@pytest.fixture
def hostile_repository(repository: Path, tmp_path: Path) -> Path:
    folder = tmp_path / HOSTILE / "repository & co"
    folder.parent.mkdir()
    return repository.rename(folder)


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder: its modules would be found before ours and Python's. Each says so in `found`."""
    outside = tmp_path / "outside"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = tmp_path / "home" / ".local" / "lib" / version / "site-packages"
    for folder in (outside, outside / "1", outside / "espalier_backend", tmp_path / "path", site):
        folder.mkdir(parents=True, exist_ok=True)
        for module in ("model", "re", "json", "numpy", "usercustomize", "sitecustomize", "triton_model", "__init__"):
            (folder / f"{module}.py").write_text(f"open({str(tmp_path / 'found')!r}, 'a').write(__file__)\n")
    (tmp_path / "bash").write_text(f"touch {tmp_path / 'found'}\n")
    monkeypatch.chdir(outside)
    return outside


def _answers(server: TritonServer, version: str = "") -> None:
    tensor = triton.InferInput("x", (5, 8), "FP32")
    tensor.set_data_from_numpy(np.ones((5, 8), np.float32))
    with triton.InferenceServerClient(server.grpc_url) as client:
        for model in ("trunk_openvino", "trunk_onnxruntime"):
            assert client.infer(model, [tensor], version).as_numpy("hidden_2").shape == (5, 8)


def test_a_repository_on_any_path_is_served_and_sees_what_is_published_there(hostile_repository, monkeypatch):
    temporary = hostile_repository.parent / "tmp dir"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))

    with TritonServer(hostile_repository) as server:
        _answers(server)
        for model in ("trunk_openvino", "trunk_onnxruntime"):
            shutil.copytree(hostile_repository / model / "1", hostile_repository / model / "2")
            with RunningServer(server.grpc_url) as running:
                running.load(model)
                assert running.ready_versions()[model] == [2]
        _answers(server, "2")

    assert not list(hostile_repository.parent.parent.rglob("ran"))
    assert not Path("ran").exists()


def test_the_error_of_a_broken_model_names_the_users_path(hostile_repository):
    (hostile_repository / "trunk_openvino" / "1" / "model.onnx").write_bytes(b"no model")

    with pytest.raises(ServeError) as raised:
        TritonServer(hostile_repository).start()

    assert "repository & co/trunk_openvino/1/model.onnx" in str(raised.value)
    assert not re.search(r"espalier-serve-\w+/repository", str(raised.value))


def test_neither_the_current_folder_nor_the_environment_brings_code_into_a_model(
    repository, tmp_path, outside, monkeypatch
):
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'path'}:.:")
    monkeypatch.setenv("PYTHONSTARTUP", str(outside / "model.py"))
    monkeypatch.setenv("PYTHONHOME", str(outside))
    monkeypatch.setenv("PYTHONUSERBASE", str(tmp_path / "home" / ".local"))
    monkeypatch.setenv("BASH_ENV", str(tmp_path / "bash"))
    monkeypatch.setenv("BASH_FUNC_exec%%", f"() {{ touch {tmp_path / 'found'}; }}")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    with TritonServer(Path(os.path.relpath(repository))) as server:
        _answers(server)

    assert not (tmp_path / "found").exists()


def test_a_served_model_writes_nothing_to_the_home_folder(repository, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)

    with TritonServer(repository) as server:
        _answers(server)

    assert list(home.rglob("*")) == []
