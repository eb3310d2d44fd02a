"""One file -> an artefact's folder. The file comes from elsewhere: nothing in it is trusted, nothing of it is run."""

import hashlib
import stat
import zipfile
from pathlib import Path

from build_tools.artefact.artefact import FILES, Artefact, check_names, read_artefact
from build_tools.artefact.manifest import MANIFEST, Manifest, parse_manifest
from build_tools.errors import BuildError

_BLOCK = 2**20
_ENCRYPTED = 1  # of an entry's flags


def unseal(file: Path, folder: Path) -> Artefact:
    """Copies the artefact's files into the new `folder`, each compared with its SHA-256, and reads them.

    Only files that an artefact has are written, under the names that they have here, and at most as many bytes as the
    file itself has.
    Raises BuildError, with one sentence, if the file is not an artefact, was cut off or changed, or holds more.
    """
    try:
        with file.open("rb") as opened, zipfile.ZipFile(opened) as archive:
            entries = _entries(archive, file.stat().st_size)
            manifest = parse_manifest(archive.read(MANIFEST))
            check_names(manifest)
            _write_all(archive, entries, manifest, folder)
    except (BuildError, OSError):
        raise
    except Exception as error:  # zipfile and zlib raise many types
        raise BuildError(
            f"it is not an artefact of `espalier package`, or not a whole one ({error!s:.200}): copy it again."
        ) from error
    return read_artefact(folder)


def _entries(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """Returns {name: entry}, after names, sizes and forms have been checked; the content has not been read yet."""
    found: dict[str, zipfile.ZipInfo] = {}
    # golden.npz is a zip too: of a file that was cut off behind it, zipfile finds that one.
    if min((entry.header_offset for entry in archive.infolist()), default=0):
        raise zipfile.BadZipFile("its first byte does not begin an archive")
    for entry in archive.infolist():
        name, form = entry.filename, stat.S_IFMT(entry.external_attr >> 16)
        if name not in FILES or name in found:
            raise BuildError(f"it holds {name!r:.80}, which no artefact holds: package the checkpoint again.")
        if form not in (0, stat.S_IFREG):
            raise BuildError(f"its {name} is a link or not a file: package the checkpoint again.")
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise BuildError(f"its {name} is compressed, which no artefact's is: package the checkpoint again.")
        if entry.flag_bits & _ENCRYPTED:
            raise BuildError(f"its {name} is encrypted, which no artefact's is: package the checkpoint again.")
        if entry.file_size > FILES[name]:
            raise BuildError(f"its {name} has {entry.file_size} bytes; at most {FILES[name]} are allowed.")
        found[name] = entry
    if sum(entry.file_size for entry in found.values()) > size:
        raise BuildError("its files are larger than it is itself: package the checkpoint again.")
    if MANIFEST not in found:
        raise BuildError(f"it holds no {MANIFEST}: give an artefact of `espalier package`.")
    return found


def _write_all(archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], manifest: Manifest, folder: Path) -> None:
    wanted = {MANIFEST, *manifest.files}
    if entries.keys() != wanted:
        raise BuildError(f"it holds other files than its {MANIFEST} says: copy it again.")
    for name, entry in entries.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with archive.open(entry) as inside, (folder / name).open("xb") as out:
            while block := inside.read(_BLOCK):
                digest.update(block)
                out.write(block)
        if name != MANIFEST and digest.hexdigest() != manifest.files[name]:
            raise BuildError(f"its {name} is damaged (its SHA-256 is not the one in {MANIFEST}): copy it again.")
