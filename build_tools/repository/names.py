"""Names of models, tensors and files in a repository that several modules must agree on."""

from pathlib import Path

MASK = "attention_mask"
TRUNK_INPUTS = ("input_ids", MASK, "token_type_ids")


def hidden_name(tap: int) -> str:
    """Returns the trunk's output that a branch with this tap reads."""
    return f"hidden_{tap}"


def logits_name(task: str) -> str:
    """Returns the output of a fused graph that is the task's logits."""
    return f"logits_{task}"


# The optional input of a fused model, for our own backends: which rows want which output (docs/compaction.md).
ASKED = "asked"

BRANCH_PREFIX = "branch_"


def branch_name(task: str) -> str:
    """Returns the Triton model that holds a task's branch."""
    return f"{BRANCH_PREFIX}{task}"


TRUNK = "trunk"  # the first trunk; later ones are trunk.2, trunk.3, ...
FUSED = "fused"  # a trunk with branches in it; while it is replaced, or with several trunks, fused.2, fused.3, ...
TOKENIZER = "tokenizer"
TOKENIZER_FILE = "tokenizer.json"  # in its version folder, and in a task checkpoint
ROUTERS = ("nlu", "nlu_stream")

FIRST_VERSION = "1"  # the version folder of a new branch or trunk, and the only one of tokenizers, routers, ensembles

# The resource of Triton's rate limiter that a trunk or branch must hold while it computes.
COMPUTE = "compute"


def examples_file(task: str) -> str:
    """Returns the file where the routers keep texts for which a task's shadow differs from the live version."""
    return f"shadow_{task}.jsonl"


# The name of the trunk's second config, for `tritonserver --model-config-name`.
EMBEDDED_CONFIG = "espalier"


def embedded_config(model: Path) -> Path:
    """Returns the place of a model's config for our own backends; only trunks have one."""
    return model / "configs" / f"{EMBEDDED_CONFIG}.pbtxt"
