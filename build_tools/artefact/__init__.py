"""An artefact: a version of a task that was prepared elsewhere, in one file. Read where there is no torch."""
