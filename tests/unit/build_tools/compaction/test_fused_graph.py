"""The fused graph gives what trunk and branches give apart: any rows, any outputs, from the start or from a tap."""
