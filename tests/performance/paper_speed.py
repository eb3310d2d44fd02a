"""How fast this machine trains: seconds per unit of paper_protocol's arithmetic."""

import time

import torch

from training.batches import Inputs
from training.device import autocast, training_device
from training.encoder import load_encoder
from training.hyper_parameters import TrainingPrecision
from training.task_model import FullModel

ROWS, TOKENS, STEPS = 32, 24, 5


def seconds_per_unit(name: str, threads: int) -> float:
    """Trains all layers of the encoder on random texts for a moment, as a search would. name: as of `--encoder`."""
    torch.set_num_threads(threads)
    encoder, device = load_encoder(name), training_device()
    model = FullModel(encoder, outputs=2, per_token=False).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    ids = torch.randint(1000, 5000, (ROWS, TOKENS))
    ones = torch.ones_like(ids)
    inputs = Inputs(torch.arange(ROWS), ids, ones, torch.zeros_like(ids)).to(device)
    start = 0.0
    for step in range(STEPS + 1):
        if step == 1:  # the first one allocates
            start = time.perf_counter()
        with autocast(device, TrainingPrecision.AUTO):
            loss = model(inputs).float().logsumexp(dim=-1).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return (time.perf_counter() - start) / (STEPS * ROWS * TOKENS * 3 * encoder.layers)
