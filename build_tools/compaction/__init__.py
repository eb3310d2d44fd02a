"""Live branches and their trunk -> one graph, the model `fused`."""
