"""proposal.json: the next generation of registry.json, while the servers of a fleet load and check it.

It is written, committed and withdrawn under the repository's lock. A publisher that was killed leaves one behind: then
nobody commits it, and the next change removes it or writes its own over it.
"""

import hashlib
from pathlib import Path

from build_tools.repository.registry import REGISTRY, Registry, registry_content, write_registry
from espalier_json import parse_json
from training.atomic_write import permissions_of, rename_file, replace_file

PROPOSAL = "proposal.json"


def write_proposal(repository: Path, registry: Registry) -> str:
    """Proposes a registry, in place of what is proposed now. Returns its digest, by which servers name it.

    It has the permissions of registry.json, which it may become.
    """
    content = registry_content(registry)
    replace_file(repository / PROPOSAL, content, staged_in=repository, mode=permissions_of(repository / REGISTRY))
    return digest(content)


def commit_proposal(repository: Path) -> None:
    """Makes the proposal registry.json: one rename commits it and ends the proposal."""
    rename_file(repository / PROPOSAL, repository / REGISTRY)


def withdraw_proposal(repository: Path) -> None:
    """Removes the proposal, if there is one: servers drop what they have loaded for it."""
    (repository / PROPOSAL).unlink(missing_ok=True)


def replace_registry(repository: Path, registry: Registry) -> None:
    """Replaces registry.json where no fleet is asked first. What a killed publisher proposed is dropped."""
    withdraw_proposal(repository)
    write_registry(repository, registry)


def proposed_generation(repository: Path) -> int | None:
    """Returns the generation that is proposed now; None if there is none, or if the file cannot be read."""
    try:
        return int(parse_json((repository / PROPOSAL).read_bytes())["generation"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def digest(content: bytes) -> str:
    """Returns the SHA-256, in hexadecimal digits, of the content of registry.json or proposal.json."""
    return hashlib.sha256(content).hexdigest()
