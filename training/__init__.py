"""Training: data + encoder -> task checkpoints.

Read it in the order of the data: `data` (rows -> examples), `tokenization` and `batches` (examples -> tensors),
`encoder` (a pretrained BERT), `model` (trunk and branch), `losses`, `trainer` (the teacher, paper section 3.1),
`trainer_distillation` (the student, section 3.2), `metrics`, `checkpoint` (what build_tools reads).
"""

import os

# Read when torch loads. Threads that wait shall sleep: spinning gains nothing on an idle machine, and on a busy one
# training then takes 1.6 times as long (docs/experiments.md).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
