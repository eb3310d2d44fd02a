"""The names of models and tensors in a repository, which several of the generated files must agree on."""

from pathlib import Path

TRUNK_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def hidden_name(tap: int) -> str:
    """The trunk's output that a branch with this tap reads."""
    return f"hidden_{tap}"


BRANCH_PREFIX = "branch_"


def branch_name(task: str) -> str:
    """The Triton model that holds a task's branch."""
    return f"{BRANCH_PREFIX}{task}"


TRUNK = "trunk"  # the first trunk; a second one has a name of its own
TOKENIZER = "tokenizer"
ROUTERS = ("nlu", "nlu_stream")

FIRST_VERSION = "1"  # the version folder of a new branch or trunk, and the only one of tokenizers, routers, ensembles

# The resource of Triton's rate limiter that a trunk or branch needs to compute.
COMPUTE = "compute"


def examples_file(task: str) -> str:
    """Where the routers keep texts for which a task's shadow differs from the live version."""
    return f"shadow_{task}.jsonl"


# The trunk has a second config, for `tritonserver --model-config-name`.
EMBEDDED_CONFIG = "espalier"


def embedded_config(model: Path) -> Path:
    """Where a model's folder has its config for our own backends, if it has one."""
    return model / "configs" / f"{EMBEDDED_CONFIG}.pbtxt"
