"""The router's own metrics (docs/observability.md has their meaning)."""

from collections.abc import Iterable, Mapping
from typing import Any

from router.answered_labels import counted_name
from router.candidates import Outcome
from router.instruments import CollectorRegistry, Counter, Gauge, Histogram
from router.registry import Version
from router.tally import Tally

# Seconds. A branch answers a text in 1 to 20 ms, a full batch of long ones in a second; a dead process takes 1 s.
_BRANCH_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
_BATCH_TEXTS = (1, 2, 4, 8, 16, 32, 64)
_ERROR_CLASSES = ("invalid", "failed", "unavailable")

_MODEL = ("model",)
_TASK = ("model", "task", "version")
_CANDIDATE_COUNTERS = {
    "espalier_candidate_answers": "Texts that a canary or shadow has answered",
    "espalier_candidate_errors": "Texts for which a canary or shadow has failed",
    "espalier_shadow_compared": "Texts that both a shadow and the live version have answered",
    "espalier_shadow_differing": "Those of these texts for which the two answers differ",
}


class _OfVersion:
    """The instruments of one version, looked up once."""

    def __init__(self, texts: Any, seconds: Any, errors: dict[str, Any]) -> None:
        self.texts = texts
        self.seconds = seconds
        self.errors = errors
        self.answers: dict[str, Any] = {}


class RouterMetrics:
    """Metrics of one router process. Safe to share between threads.

    Most have the label `model` (`nlu` or `nlu_stream`); those of a task also have `task` and `version`. Those of the
    calls of a trunk or a branch are labelled as Triton's own are: `model` is then the model that was called.
    """

    def __init__(self, model: str) -> None:
        self.registry = registry = CollectorRegistry()
        self._model = model
        self._tally = Tally()

        def counter(name: str, text: str, labels: tuple[str, ...] = _MODEL) -> Any:
            return Counter(name, text, labels, registry=registry)

        def gauge(name: str, text: str, labels: tuple[str, ...] = _MODEL) -> Any:
            # Of the processes that live: the supervisor takes the files of dead ones away.
            return Gauge(name, text, labels, registry=registry, multiprocess_mode="livemax")

        self._tokens = counter("espalier_tokens", "Tokens that went through the trunk, padding included").labels(model)
        self._padding = counter("espalier_padding_tokens", "Those of these tokens that were padding").labels(model)
        self._layers = counter("espalier_trunk_layers", "Trunk layers computed, once for each sequence").labels(model)
        self._hits = counter("espalier_result_cache_hits", "Answers found in the result cache").labels(model)
        self._misses = counter("espalier_result_cache_misses", "Answers not found in the result cache").labels(model)
        self._batches = Histogram(
            "espalier_batch_texts", "Texts of a batch", _MODEL, registry=registry, buckets=_BATCH_TEXTS
        ).labels(model)
        self._trunk_seconds = counter(
            "espalier_trunk_seconds", "Time of calls of the trunk, and its share, by layers, of those of a fused graph"
        ).labels(model)
        self._depth = counter(
            "espalier_trunk_reached", "Sequences by the highest tap to which the trunk was computed", ("model", "tap")
        )
        self._texts = counter("espalier_texts", "Texts that a version was asked for", _TASK)
        self._errors = counter("espalier_errors", "Texts that a version did not answer", (*_TASK, "class"))
        self._answers = counter("espalier_answers", "Labels that a version has answered", ("task", "version", "label"))
        self._seconds = Histogram(
            "espalier_branch_seconds",
            "Time of a call of a branch, or its share, by layers, of a call of a fused graph",
            ("task", "version"),
            registry=registry,
            buckets=_BRANCH_SECONDS,
        )
        self._candidates = {name: counter(name, text, _TASK) for name, text in _CANDIDATE_COUNTERS.items()}
        of_version = ("task", "version")
        self._compared = counter(
            "espalier_canary_texts", "Texts, each once, that a canary or its live version answered", of_version
        )
        self._compared_labels = counter("espalier_canary_labels", "Labels of these answers", (*of_version, "label"))
        # Also of processes that have ended: what one of them has found of a canary stays true.
        self._dropped = Gauge(
            "espalier_canary_dropped",
            "1 once a router of a replica has found this canary out of bounds, and sends it nothing more",
            of_version,
            registry=registry,
            multiprocess_mode="max",
        )
        self._branch_layers = gauge(
            "espalier_task_layers", "Layers of a version's branch; 0 once it is not computed any more", of_version
        )
        self._layers_alone = gauge(
            "espalier_task_layers_alone", "Layers of a version's branch and of the trunk below it", of_version
        )
        self._shown_layers: set[Version] = set()
        called = ("model", "version")
        self._open = gauge("espalier_breaker_open", "1 while a trunk or a branch is not asked, because it died", called)
        self._refused = counter("espalier_breaker_refused", "Calls that were not made for this reason", called)
        self._generation = gauge("espalier_registry_generation", "Generation of the registry that is in force")
        self._rejected = gauge("espalier_registry_rejected", "1 while registry.json cannot be served whole")
        self._rejections = counter("espalier_registry_rejections", "Changes of registry.json that were rejected")
        self._rejected.labels(model).set(0)
        self._rejections = self._rejections.labels(model)
        self._of_version: dict[Version, _OfVersion] = {}
        self._of_candidate: dict[tuple[str, Version], Any] = {}
        self._of_tap: dict[int, Any] = {}
        self._counted = {"hits": 0, "misses": 0}

    def count_batch(self, texts: int) -> None:
        """Adds a batch of this many texts."""
        self._tally.observe(self._batches, texts)

    def count_tokens(self, tokens: int, padding: int) -> None:
        """Adds one batch's tokens."""
        self._tally.add(self._tokens, tokens)
        self._tally.add(self._padding, padding)

    def count_depth(self, sequences: int, tap: int) -> None:
        """Adds sequences that went up to this tap, and no higher."""
        child = self._of_tap.get(tap)
        if child is None:
            child = self._of_tap[tap] = self._depth.labels(self._model, str(tap))
        self._tally.add(child, sequences)
        self._tally.add(self._layers, sequences * tap)

    def count_trunk(self, seconds: float) -> None:
        """Adds the time of a call of the trunk, or its share of a call of a fused graph."""
        self._tally.add(self._trunk_seconds, seconds)

    def set_layers(self, layers: Mapping[Version, int]) -> None:
        """Says how many layers the branches have of all versions that are computed."""
        for version in layers.keys() | self._shown_layers:
            labels = version.task, str(version.number)
            own = layers.get(version, 0)
            self._branch_layers.labels(*labels).set(own)
            self._layers_alone.labels(*labels).set(version.tap + own if own else 0)
        self._shown_layers = set(layers)

    def count_answers(self, version: Version, texts: int, labels: Mapping[str, int], seconds: float) -> None:
        """Adds one call of a version's branch. texts: how many it answered. labels: what it answered, how often."""
        own = self._version(version)
        self._tally.add(own.texts, texts)
        self._tally.observe(own.seconds, seconds)
        for label, number in labels.items():
            child = own.answers.get(label)
            if child is None:
                child = own.answers[label] = self._answers.labels(version.task, str(version.number), label)
            self._tally.add(child, number)

    def count_errors(self, version: Version, texts: int, kind: str) -> None:
        """Adds texts that a version did not answer.

        kind: `invalid` (the request does not fit the task), `failed`, or `unavailable` (the process is dead, or its
        model is not loaded: ask again).
        """
        own = self._version(version)
        self._tally.add(own.texts, texts)
        self._tally.add(own.errors[kind], texts)

    def set_cache_totals(self, hits: int, misses: int) -> None:
        """Raises the cache's counters to these totals."""
        for name, child, total in (("hits", self._hits, hits), ("misses", self._misses, misses)):
            if total != self._counted[name]:
                self._tally.add(child, total - self._counted[name])
                self._counted[name] = total

    def count_candidate(self, version: Version, outcome: Outcome) -> None:
        """Adds what came of a candidate in one batch."""
        numbers = (outcome.answers, outcome.errors, outcome.compared, len(outcome.differing))
        for name, number in zip(_CANDIDATE_COUNTERS, numbers, strict=True):
            child = self._of_candidate.get((name, version))
            if child is None:
                child = self._candidates[name].labels(self._model, version.task, str(version.number))
                self._of_candidate[name, version] = child
            self._tally.add(child, number)

    def count_compared(self, version: Version, like: Version, labels: Iterable[str]) -> None:
        """See TextCounts of canary_guard.py."""
        of_version = version.task, str(version.number)
        self._tally.add(self._compared.labels(*of_version), 1)
        for label in labels:
            self._tally.add(self._compared_labels.labels(*of_version, counted_name(like, label)), 1)

    def set_dropped(self, version: Version) -> None:
        """Says that a canary is out of bounds, for whoever withdraws it for all replicas."""
        self._dropped.labels(version.task, str(version.number)).set(1)

    def set_breaker(self, model: str, version: int, is_open: bool) -> None:
        """Says whether a model's version is asked at present."""
        self._open.labels(model, _shown(version)).set(int(is_open))

    def count_refused(self, model: str, version: int) -> None:
        """Adds a call that was not made because the model's version died."""
        self._tally.add(self._refused.labels(model, _shown(version)), 1)

    def set_registry(self, generation: int | None, is_rejected: bool) -> None:
        """Says which registry is in force (None: it has no number), and whether the file holds another one."""
        if generation is not None:
            self._generation.labels(self._model).set(generation)
        self._rejected.labels(self._model).set(int(is_rejected))

    def count_rejection(self) -> None:
        """Adds a registry.json that was rejected."""
        self._tally.add(self._rejections, 1)

    def flush(self) -> None:
        """Shows all that was counted so far."""
        self._tally.flush()

    def close(self) -> None:
        """Shows all that was counted, and counts no more."""
        self._tally.close()

    def _version(self, version: Version) -> _OfVersion:
        own = self._of_version.get(version)
        if own is None:
            task, number = version.task, str(version.number)
            errors = {kind: self._errors.labels(self._model, task, number, kind) for kind in _ERROR_CLASSES}
            own = _OfVersion(self._texts.labels(self._model, task, number), self._seconds.labels(task, number), errors)
            self._of_version[version] = own
            self._open.labels(version.model, number)  # a series from the start, so that its absence means something
        return own


def _shown(version: int) -> str:
    return str(version) if version > 0 else "newest"  # of a trunk
