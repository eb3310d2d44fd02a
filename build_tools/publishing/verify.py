"""Whether a repository is what was built and published."""

from pathlib import Path

from build_tools.manifest import MANIFEST, hashes_of, read_manifest, served_files
from build_tools.registry import Registry


def verify(repository: Path, registry: Registry) -> list[str]:
    """A sentence for each file that is damaged, missing or unknown; none if all is well."""
    known = read_manifest(repository)
    if not known:
        return [f"{repository} has no {MANIFEST}: build it again."]
    found = hashes_of(served_files(repository), repository)
    problems = [f"{path} is missing." for path in sorted(known.keys() - found.keys())]
    problems += [
        f"{path} is in no manifest: it was neither built nor published." for path in sorted(found.keys() - known)
    ]
    problems += [
        f"{path} is damaged: its SHA-256 is not the one in {MANIFEST}."
        for path in sorted(found.keys() & known.keys())
        if found[path] != known[path]
    ]
    for task, entry in registry.tasks.items():
        for number, version in entry.versions.items():
            if not (repository / version.model / number).is_dir():
                problems.append(f"version {number} of {task} is missing: {version.model}/{number}.")
    return problems
