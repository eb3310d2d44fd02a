"""Every way to one of the libraries, each in a process of its own with a fresh home folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BACKENDS = Path(__file__).resolve().parents[4] / "build_tools" / "backends"
SEGMENTS = ["openvino_segment", "onnxruntime_segment", "gelu"]


@pytest.mark.parametrize(
    "program",
    [
        *(f"import build_tools.backends.espalier_backend.{name}" for name in SEGMENTS),
        *(f"import espalier_backend.{name}" for name in SEGMENTS),  # as a stub imports them
        "from build_tools.precision import graph",
        "from build_tools.precision import hardware; hardware._has_bf16()",
        "import espalier, sys; sys.argv = ['espalier', '--help']\n"
        "try: espalier.main()\n"
        "except SystemExit: pass\n"
        "import openvino, onnxruntime, huggingface_hub.constants as hub\n"
        "assert hub.HF_HUB_DISABLE_TELEMETRY",
        "import build_tools.build.builder",
    ],
)
def test_nothing_is_written_to_the_home_folder(tmp_path, program):
    dropped = ("XDG_CACHE_HOME", "ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "CI")
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    root = str(BACKENDS.parents[1])
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend" / "espalier_backend").symlink_to(BACKENDS / "espalier_backend")
    home = tmp_path / "home"
    home.mkdir()
    subprocess.run(
        [sys.executable, "-c", program],
        env=environment | {"HOME": str(home), "PYTHONPATH": f"{root}:{tmp_path / 'backend'}"},
        check=True,
        timeout=120,
        stdout=subprocess.DEVNULL,
    )

    assert list(home.rglob("*")) == []
