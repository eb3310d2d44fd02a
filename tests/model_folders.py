"""The folders of the models that a registry.json names, as far as a router looks at them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any


def add_model_folders(repository: Path, content: dict[str, Any]) -> None:
    """Makes trunks, tokenizers and branches for this content of registry.json, where they are missing."""
    for trunk, entry in content["trunks"].items():
        (repository / trunk).mkdir(exist_ok=True)
        for tokenizer in entry["tokenizers"]:
            (repository / tokenizer / "1").mkdir(parents=True, exist_ok=True)
            (repository / tokenizer / "1" / "tokenizer.json").touch()
    taps: dict[str, set[int]] = {trunk: set() for trunk in content["trunks"]}
    for task in content["tasks"].values():
        for number, version in task["versions"].items():
            (repository / version["model"] / number).mkdir(parents=True, exist_ok=True)
            outputs = 1 if version["kind"] == "pair_regression" else len(version["labels"])
            logits = f'output {{\n  name: "logits"\n  data_type: TYPE_FP32\n  dims: -1\n  dims: {outputs}\n}}\n'
            (repository / version["model"] / "config.pbtxt").write_text(logits)
            taps[version["trunk"]].add(version["tap"])
    for trunk, reached in taps.items():
        outputs = "".join(f'output {{ name: "hidden_{tap}" }}\n' for tap in sorted(reached))
        (repository / trunk / "config.pbtxt").write_text(outputs)


def add_fused_folder(version: Path, logits: dict[str, int], taps: list[int]) -> None:
    """Makes a fused graph's folder. logits: {task: their number}."""
    version.mkdir(parents=True)
    outputs = [f'output {{ name: "hidden_{tap}" dims: [ -1, -1, 8 ] }}\n' for tap in taps]
    outputs += [f'output {{ name: "logits_{task}" dims: [ -1, {number} ] }}\n' for task, number in logits.items()]
    (version.parent / "config.pbtxt").write_text("".join(outputs))


def no_metrics() -> SimpleNamespace:
    """Takes the place of a router's metrics where a test does not look at them."""
    return SimpleNamespace(set_registry=lambda *_, **__: None, count_rejection=lambda: None)
