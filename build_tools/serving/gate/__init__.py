"""The gate: what clients reach. It checks and rebuilds each request and asks Triton, which listens on loopback."""
