"""Training: data + encoder -> task checkpoints.

Read the modules in this order: `data` (rows -> examples), `tokenization` and `batches` (examples -> tensors),
`encoder` (a pretrained one; `encoders/` has its layers and what families say of them), `model` (trunk and branch),
`task_model` (both as one), `prepared_task` (a task's data on an encoder), `stored_states` (frozen layers, computed
once), `losses`, `loop`, `trainer` (the teacher, paper section 3.1), `trainer_distillation` (the student, section 3.2),
`evaluator`, `metrics` and `bootstrap` (scores, and how sure they are), `checkpoint` (what build_tools reads).

The rooms lead on: `adoption` (a model of others as the teacher), `search`, `baselines`, `selection`, `report`; `cli`
has the verbs.
"""

import os

# torch reads this when it loads. Waiting threads sleep instead of spinning: spinning gains nothing on an idle machine,
# and on a busy one it makes training take 1.6 times as long (docs/experiments.md).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
