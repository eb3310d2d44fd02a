from pathlib import Path

from build_tools.serving.triton.backend_directory import assemble_backends
from build_tools.serving.triton.distribution import Distribution


def test_each_backend_folder_holds_all_that_its_stub_imports(tmp_path):
    wheel = tmp_path / "wheel"
    (wheel / "python" / "__pycache__").mkdir(parents=True)
    (wheel / "python" / "libtriton_python.so").write_text("library")
    (wheel / "stub").write_text("stub")
    directory = tmp_path / "backends"
    directory.mkdir()

    assemble_backends(Distribution(Path(), Path(), wheel / "python", wheel / "stub"), directory)

    assert {file.name for file in (directory / "python").iterdir()} == {"libtriton_python.so", "stub"}
    for backend in ("openvino", "onnxruntime"):
        assert (directory / backend / "model.py").is_file()
        assert (directory / backend / "espalier_backend" / "triton_model.py").is_file()
    # Triton refuses a library that a link leads out of the directory.
    assert not [file for file in directory.rglob("*") if file.is_symlink()]
