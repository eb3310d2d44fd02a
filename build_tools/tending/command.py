"""The verbs `espalier tend` and `espalier hand-in`."""
