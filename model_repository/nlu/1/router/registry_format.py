"""registry.json's content -> a Registry."""

from collections.abc import Collection, Mapping
from typing import Any

from router.registry import Canary, Fused, Registry, Task, Version

FORMATS = (2, 3)
KINDS = ("classification", "pair_classification", "pair_regression", "multi_label", "tagging")

_MOST_TAP = 1000  # no encoder has as many layers
_MOST_TOKENS = 100_000


class NotARegistryError(ValueError):
    """The content is not a registry that a router could serve. The sentence says which part of it."""


def parse(content: Any) -> Registry:
    """Returns the Registry of registry.json's content. Raises NotARegistryError if it is invalid or has no task."""
    content = _object(content, "the file")
    form = content.get("format_version", FORMATS[0])
    if form not in FORMATS or isinstance(form, bool | float):
        raise NotARegistryError(f"format_version is {form!r:.60}, and this router reads {FORMATS}")
    trunks = {name: _trunk(name, trunk) for name, trunk in _object(_of(content, "trunks"), "trunks").items()}
    fused = {
        name: _fused(name, trunk["fused"])
        for name, trunk in content["trunks"].items()
        if trunk.get("fused") is not None
    }
    tasks = {name: _task(name, entry, trunks) for name, entry in _object(_of(content, "tasks"), "tasks").items()}
    if not tasks:
        raise NotARegistryError("there is no task in it")
    retired = _object(content.get("retired", {}), "retired")
    generation = content.get("generation")
    if generation is not None:
        generation = _whole(generation, "generation", 0, 2**63 - 1)
    tokenizers = {name: next(iter(lengths)) for name, lengths in trunks.items()}
    return Registry(tasks, tokenizers, frozenset(retired) - tasks.keys(), generation, fused)


def _trunk(name: str, trunk: Any) -> Mapping[str, int]:
    """Returns {tokenizer: its maximum number of tokens} of a trunk."""
    _model(name, "a trunk's name")
    tokenizers = _object(_of(trunk, "tokenizers", f"the trunk {name}"), f"tokenizers of {name}")
    if not tokenizers:
        raise NotARegistryError(f"the trunk {name} has no tokenizer")
    return {
        _model(tokenizer, "a tokenizer's name"): _whole(length, f"the length of {tokenizer}", 1, _MOST_TOKENS)
        for tokenizer, length in tokenizers.items()
    }


def _fused(trunk: str, entry: Any) -> Fused:
    what = f"the fused graph of {trunk}"
    tasks = _object(_of(entry, "tasks", what), f"tasks of {what}")
    taps = _of(entry, "taps", what)
    if not isinstance(taps, list) or not taps:
        raise NotARegistryError(f"the taps of {what} are not a list of numbers")
    taps = [_whole(tap, f"a tap of {what}", 0, _MOST_TAP) for tap in taps]
    return Fused(
        model=_model(_of(entry, "model", what), f"the model of {what}"),
        number=_whole(_of(entry, "version", what), f"the version of {what}", 1, 2**31 - 1),
        # By name, as the columns in which the graph is asked for them.
        tasks={
            task: _whole(version, f"the version of {task!r:.100} in {what}", 1, 2**31 - 1)
            for task, version in sorted(tasks.items())
        },
        taps=tuple(sorted(set(taps))),
    )


def _task(name: str, entry: Any, trunks: Mapping[str, Mapping[str, int]]) -> Task:
    what = f"the task {name!r:.100}"
    versions = _object(_of(entry, "versions", what), f"versions of {what}")
    canary, shadow = _of(entry, "canary", what), _of(entry, "shadow", what)

    def version(number: Any) -> Version:
        number = _whole(number, f"a version of {what}", 1, 2**31 - 1)
        return _version(name, number, _of(versions, str(number), what), trunks)

    live = version(_of(entry, "live", what))
    task = Task(
        live=live,
        canary=None if canary is None else _canary(version(_of(canary, "version", f"the canary of {what}")), canary),
        shadow=None if shadow is None else version(shadow),
    )
    if live in task.versions[1:] or len(task.versions) > 2:
        raise NotARegistryError(f"{what} has a candidate that is live, or more than one")
    return task


def _version(task: str, number: int, entry: Any, trunks: Mapping[str, Mapping[str, int]]) -> Version:
    what = f"version {number} of {task!r:.100}"
    kind = _of(entry, "kind", what)
    if not isinstance(kind, str) or kind not in KINDS:
        raise NotARegistryError(f"{what} is of the kind {kind!r:.60}, which is not among {KINDS}")
    labels = _of(entry, "labels", what)
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise NotARegistryError(f"the labels of {what} are not a list of texts")
    trunk = _of(entry, "trunk", what)
    if not isinstance(trunk, str) or trunk not in trunks:
        raise NotARegistryError(f"{what} reads the trunk {trunk!r:.60}, which is not among {sorted(trunks)}")
    length = _whole(_of(entry, "max_length", what), f"max_length of {what}", 1, _MOST_TOKENS)
    if length not in trunks[trunk].values():
        raise NotARegistryError(f"{trunk} has no tokenizer of {length} tokens for {what}")
    return Version(
        task=task,
        number=number,
        kind=kind,
        labels=tuple(labels),
        tap=_whole(_of(entry, "tap", what), f"the tap of {what}", 0, _MOST_TAP),
        max_length=length,
        model=_model(_of(entry, "model", what), f"the model of {what}"),
        trunk=trunk,
    )


def _canary(version: Version, entry: Any) -> Canary:
    what = f"of the canary of {version.task!r:.100}"
    shift = entry.get("max_label_shift", 1.0)
    return Canary(
        version,
        share=_number(_of(entry, "share", what), f"the share {what}", 0, 1),
        max_error_rate=_number(_of(entry, "max_error_rate", what), f"max_error_rate {what}", 0, 1),
        max_milliseconds=_number(_of(entry, "max_milliseconds", what), f"max_milliseconds {what}", 0, 1e12),
        minimum=_whole(_of(entry, "minimum", what), f"the minimum {what}", 1, 2**63 - 1),
        max_label_shift=_number(shift, f"max_label_shift {what}", 0, 1),
    )


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NotARegistryError(f"{what} is not a JSON object")
    return value


def _of(entry: Any, key: str, what: str = "the file") -> Any:
    if key not in _object(entry, what):
        raise NotARegistryError(f"{what} has no {key!r}")
    return entry[key]


def _whole(value: Any, what: str, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise NotARegistryError(f"{what} is {_shown(value)}, not a whole number from {least} to {most}")
    return value


def _number(value: Any, what: str, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise NotARegistryError(f"{what} is {_shown(value)}, not a number from {least} to {most:g}")
    return float(value)


def _model(value: Any, what: str) -> str:
    """A model's name is part of paths."""
    plain = isinstance(value, str) and value and not value.startswith(".") and len(value) < 256
    if not plain or not _is_plain(value):
        raise NotARegistryError(f"{what} is {value!r:.60}, which is not the name of a model")
    return str(value)


def _is_plain(name: Collection[str]) -> bool:
    return not any(character in "/\\\0" for character in name)


def _shown(value: Any) -> str:
    try:
        return f"{value!r:.60}"
    except ValueError:  # an integer of thousands of digits
        return "a number that is too long to be shown"
