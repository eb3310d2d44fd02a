"""What the untrained tasks are asked; apart, so that who only asks need not import torch."""

TEXTS = (
    "wake me at seven",
    "play jazz in paris",
    "play rock",
    "in rome at seven play jazz for me and for all who came with me today",
    "me",
    "send a message to peter that i am late",
)
