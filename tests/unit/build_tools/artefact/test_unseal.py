"""A file that says it is an artefact: what is written of it, and what is said of one that is none."""

import io
import json
import stat
import tarfile
import zipfile

import pytest
from file_damages import CONTENTS, cut, sentence_of

from build_tools.artefact.artefact import FILES
from build_tools.artefact.seal import seal
from build_tools.artefact.unseal import unseal
from build_tools.errors import BuildError
from training.branch_record import record_sha256
from training.kinds import Kind


@pytest.fixture
def folder(make_artefact, tmp_path):
    return make_artefact(tmp_path / "made")


@pytest.fixture
def sealed(folder, tmp_path):
    seal(folder, tmp_path / "intent.espalier")
    return tmp_path / "intent.espalier"


@pytest.fixture
def entries(folder):
    """{name: content} of the artefact."""
    return {name: (folder / name).read_bytes() for name in FILES if (folder / name).is_file()}


@pytest.fixture
def refusal(tmp_path):
    """What is said of a file; nothing of it may lie outside the folder that was given."""

    def refusal(file):
        with pytest.raises(BuildError) as refused:
            unseal(file, tmp_path / "out")
        said = str(refused.value)
        assert "\n" not in said
        assert len(said) < 600
        assert {path.name for path in tmp_path.iterdir()} <= {"made", "intent.espalier", "out"}
        written = [path for path in (tmp_path / "out").rglob("*") if not path.is_dir()]
        assert all(path.relative_to(tmp_path / "out").as_posix() in FILES for path in written)
        assert not any(path.is_symlink() for path in written)
        return said

    return refusal


def _written(file, entries, change=lambda _: None, **options):
    """A zip of these entries; `change` sees each before it is written."""
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, content in entries:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = options.get("compression", zipfile.ZIP_STORED)
            change(entry)
            archive.writestr(entry, content)
    return file


@pytest.mark.parametrize("kind", [Kind.CLASSIFICATION, Kind.TAGGING])
@pytest.mark.parametrize("carried", [True, False])
def test_what_was_sealed_comes_out_again(make_artefact, tmp_path, kind, carried):
    made = make_artefact(tmp_path / "made", carried=carried, kind=kind)
    seal(made, tmp_path / "file")

    found = unseal(tmp_path / "file", tmp_path / "out")

    assert (found.record.task, found.record.kind, found.manifest.trunk is not None) == ("intent", kind, carried)
    for name in (name for name in FILES if (made / name).is_file()):
        assert (tmp_path / "out" / name).read_bytes() == (made / name).read_bytes()


def test_the_same_content_is_the_same_file_and_a_file_is_not_overwritten(folder, sealed, tmp_path):
    seal(folder, tmp_path / "again")

    assert (tmp_path / "again").read_bytes() == sealed.read_bytes()
    with pytest.raises(BuildError, match="already exists and is not overwritten"):
        seal(folder, sealed)
    assert {path.name for path in tmp_path.iterdir()} == {"made", "intent.espalier", "again"}


@pytest.mark.parametrize("name", CONTENTS)
def test_a_file_of_something_else_is_refused(sealed, refusal, name):
    sealed.write_bytes(CONTENTS[name])

    assert refusal(sealed).startswith("it is not an artefact of `espalier package`, or not a whole one")


def test_a_file_that_was_cut_off_or_changed_anywhere_is_refused_or_is_what_it_was(folder, sealed, tmp_path):
    whole = sealed.read_bytes()
    told = []
    for number, damaged in enumerate(cut(whole)):
        sealed.write_bytes(damaged)
        told.append(sentence_of(lambda out=tmp_path / str(number): unseal(sealed, out)))
    assert all(told), "each place of the list is in a file, in the list of files or in its end"
    for place in range(0, len(whole), 41):
        sealed.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        out = tmp_path / f"flipped_{place}"
        if sentence_of(lambda out=out: unseal(sealed, out)) is None:
            assert (out / "branch/model.onnx").read_bytes() == (folder / "branch/model.onnx").read_bytes()


def test_a_tar_is_refused_though_a_zip_lies_in_it(folder, sealed, refusal):
    with tarfile.open(sealed, "w") as archive:
        archive.add(folder, ".")

    assert refusal(sealed).startswith("it is not an artefact of `espalier package`, or not a whole one")


def test_whoever_has_a_file_that_was_cut_off_anywhere_is_told_to_copy_it_again(sealed, refusal):
    whole = sealed.read_bytes()
    for end in range(0, len(whole), 97):
        sealed.write_bytes(whole[:end])
        assert refusal(sealed).endswith("copy it again."), end


@pytest.mark.parametrize(
    "name",
    [
        "/tmp/evil",
        "../evil",
        "branch/../../evil",
        "branch\\model.onnx",
        "branch/1/model.py",
        "model.py",
        "branch/",
        "branch/model.onnx.data",
        "./artefact.json",
    ],
)
def test_a_name_that_no_artefact_has_is_refused(sealed, entries, refusal, name):
    _written(sealed, [*entries.items(), (name, b"evil")])

    assert refusal(sealed).startswith("it holds ")


def test_a_name_that_comes_twice_is_refused(sealed, entries, refusal):
    with pytest.warns(UserWarning, match="Duplicate name"):
        _written(sealed, [*entries.items(), ("branch/model.onnx", b"another")])

    assert refusal(sealed).startswith("it holds 'branch/model.onnx'")


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFIFO | 0o644, stat.S_IFDIR | 0o755])
def test_a_link_or_device_in_place_of_a_file_is_refused(sealed, entries, refusal, mode):
    def change(entry):
        if entry.filename == "branch/model.onnx":
            entry.external_attr = mode << 16

    _written(sealed, {**entries, "branch/model.onnx": b"/etc/passwd"}.items(), change)

    assert refusal(sealed).startswith("its branch/model.onnx is a link or not a file")


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_small_file_of_gigabytes_is_refused_before_it_is_read(sealed, entries, refusal, compression):
    _written(sealed, {**entries, "branch/model.onnx": bytes(2**24)}.items(), compression=compression)

    assert sealed.stat().st_size < 2**20
    assert "is compressed, which no artefact's is" in refusal(sealed)


@pytest.mark.parametrize(("size", "said"), [(10**9, "larger than it is itself"), (2**31 + 1, "at most 2147483648 are")])
def test_files_that_say_that_they_are_larger_than_the_whole_are_refused(sealed, entries, refusal, size, said):
    with zipfile.ZipFile(sealed, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
        archive.getinfo("branch/model.onnx").file_size = archive.getinfo("branch/model.onnx").compress_size = size

    assert said in refusal(sealed)


def test_an_encrypted_file_is_refused(sealed, refusal):
    content = bytearray(sealed.read_bytes())
    with zipfile.ZipFile(io.BytesIO(bytes(content))) as archive:
        start = archive.start_dir
    content[start + 8] |= 1  # the flags of the first entry in the list of files
    sealed.write_bytes(bytes(content))

    assert "is encrypted" in refusal(sealed)


@pytest.mark.parametrize("missing", ["artefact.json", "branch/branch.json", "branch/golden.npz", "branch/model.onnx"])
def test_a_file_that_is_missing_is_told(sealed, entries, refusal, missing):
    _written(sealed, [one for one in entries.items() if one[0] != missing])

    assert "artefact.json" in refusal(sealed)


def test_a_file_that_was_changed_is_told(sealed, entries, refusal):
    changed = entries["branch/model.onnx"][:-1] + b"x"
    _written(sealed, {**entries, "branch/model.onnx": changed}.items())

    assert refusal(sealed) == (
        "its branch/model.onnx is damaged (its SHA-256 is not the one in artefact.json): copy it again."
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format_version": 2}, "the artefact has format 2, and this release reads format 1: package the checkpoint"),
        ({"format_version": None}, "the artefact has format None"),
        ({"precision": "auto"}, r"artefact.json is damaged (precision: a graph has one precision"),
        ({"runtime": "tensorflow"}, "artefact.json is damaged (runtime: "),
        ({"run_this": "rm -rf /"}, "artefact.json is damaged (run_this: "),
        ({"tools": {"a\n" * 99: "1"}}, "artefact.json is damaged ('tools.a\\na\\n"),
        ({"tools": {str(number): "1" for number in range(2000)}}, "artefact.json is damaged (tools: "),
        ({"files": {}}, "its artefact.json is damaged (the entry of"),
    ],
)
def test_a_manifest_that_says_something_else_is_refused(sealed, entries, refusal, change, said):
    content = json.loads(entries["artefact.json"]) | change
    content["sha256"] = record_sha256(content)
    _written(sealed, {**entries, "artefact.json": json.dumps(content).encode()}.items())

    assert refusal(sealed).startswith(said)


def test_a_manifest_without_its_own_hash_or_of_endless_depth_or_size_is_refused(sealed, entries, refusal):
    content = json.loads(entries["artefact.json"]) | {"precision": "int8"}
    for manifest, said in (
        (json.dumps(content).encode(), "its SHA-256 is wrong"),
        (b"[" * 10**6, "artefact.json is damaged"),
        (b" " * (2**22 + 1), "at most 4194304 are allowed"),
    ):
        _written(sealed, {**entries, "artefact.json": manifest}.items())
        assert said in refusal(sealed)
