"""`python write_repositories.py FOLDER`: builds untrained repositories of all kinds of tasks, one for each runtime."""

import sys
from pathlib import Path

from untrained import save_untrained, tiny_encoder

from build_tools.build.builder import build
from build_tools.repository.runtime import Runtime
from training.kinds import Kind

TASKS = {
    "intent": {"labels": ("a", "b", "c")},
    "mood": {"kind": Kind.MULTI_LABEL, "tap": 1, "layers": 2},
    "near": {"kind": Kind.PAIR_REGRESSION, "tap": 3},
    "same": {"kind": Kind.PAIR_CLASSIFICATION, "labels": ("no", "yes")},
    "slots": {"kind": Kind.TAGGING, "labels": ("O", "B-x", "I-x"), "tap": 1, "layers": 3},
}


def main(folder: Path) -> None:
    """Writes FOLDER/openvino and FOLDER/onnxruntime."""
    encoder = tiny_encoder(folder / "encoder")
    made = [save_untrained(folder / "checkpoints" / task, encoder, task, **given) for task, given in TASKS.items()]  # type: ignore[arg-type]
    for runtime in Runtime:
        build(made, folder / runtime.value, runtime=runtime)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
