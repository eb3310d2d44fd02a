"""The device that training computes on, and the number format of its forward passes."""

import torch

from training.hyper_parameters import TrainingPrecision


def training_device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast(device: torch.device, precision: TrainingPrecision) -> torch.autocast:
    """The context in which a training step computes its logits; AUTO is bf16 if the device has it."""
    wanted = precision is TrainingPrecision.BF16 or (precision is TrainingPrecision.AUTO and has_bf16(device))
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=wanted)


def has_bf16(device: torch.device) -> bool:
    """True if the device multiplies bf16 matrices in hardware. Emulated bf16 is slower than fp32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
