"""Packaging: a task checkpoint -> an artefact, exported and checked where torch is."""
