import os
import sys
from types import SimpleNamespace

import pytest

from build_tools.serving.errors import ServeError
from build_tools.serving.triton import distribution as module
from build_tools.serving.triton.distribution import find_distribution


def test_the_installed_wheel_has_all_that_is_started():
    pytest.importorskip("pytriton")
    found = find_distribution()

    assert os.access(found.tritonserver, os.X_OK)
    assert os.access(found.python_stub, os.X_OK)
    assert found.libraries.is_dir()
    assert (found.python_backend / "libtriton_python.so").is_file()


def test_a_missing_wheel_is_told_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytriton.utils.distribution", None)

    with pytest.raises(ServeError, match=r"nvidia-pytriton.*'serving'"):
        find_distribution()


def test_a_python_without_a_stub_is_told_with_the_known_ones(monkeypatch):
    pytest.importorskip("pytriton")
    future = SimpleNamespace(version_info=SimpleNamespace(major=3, minor=99))
    monkeypatch.setattr(module, "sys", future)

    with pytest.raises(ServeError, match=r"Python 3\.99, only for .*3\.11"):
        find_distribution()


def test_numpy_2_is_refused_because_the_stub_would_hand_over_empty_tensors(monkeypatch):
    pytest.importorskip("pytriton")
    monkeypatch.setattr(module, "version", lambda _: "2.1.0")

    with pytest.raises(ServeError, match=r"numpy 2\.1\.0"):
        find_distribution()
