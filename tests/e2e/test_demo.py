"""`make demo`: the script as it stands, with training cut short."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TASKS = ("domain", "intent", "slots", "emotion", "coherence")


def test_the_demo_prints_every_task_s_answer_for_each_utterance_and_stops_its_server(tmp_path: Path) -> None:
    quick = tmp_path / "bin" / "espalier"
    quick.parent.mkdir()
    quick.write_text(
        "#!/bin/bash\n"
        'case "$1" in finetune|distill) set -- "$@" --epochs 1 --train-rows 64;; esac\n'
        f'exec "{Path(sys.executable).parent}/espalier" "$@"\n'
    )
    quick.chmod(0o755)
    environment = os.environ | {"PATH": f"{quick.parent}{os.pathsep}{os.environ['PATH']}"}
    demo = tmp_path / "demo"

    done = subprocess.run(
        ["bash", ROOT / "demo.sh", demo], env=environment, capture_output=True, text=True, timeout=550, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    _, _, answers = done.stdout.partition("over gRPC")
    utterances = answers.strip().split("\n\n")
    assert len(utterances) == 3
    for utterance in utterances:
        for task in TASKS:
            assert f"  {task} " in utterance
        assert "failed" not in utterance
    assert "Stopped." in (demo / "serve.log").read_text()
