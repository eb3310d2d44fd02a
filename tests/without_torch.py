"""`espalier` where nothing is trained: `python without_torch.py VERB ...` finds no package that trains or exports."""

import importlib.abc
import sys
from pathlib import Path

# What the extra `serving` leaves out.
ABSENT = ("torch", "transformers", "safetensors", "onnxscript", "onnx_ir", "datasets", "optuna", "scipy", "sklearn")
ROOT = Path(__file__).resolve().parents[1]


class _Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, *_: object) -> None:
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # in place of the tests
    sys.meta_path.insert(0, _Absent())
    from espalier import main

    sys.argv[0] = "espalier"
    main()
