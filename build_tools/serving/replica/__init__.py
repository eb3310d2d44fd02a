"""A server that only reads the repository: it adopts each generation once all of it is loaded and proved here."""
