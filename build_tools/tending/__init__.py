"""`espalier tend`: the one process that changes a fleet's repository."""
