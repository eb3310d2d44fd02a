"""The cores and memory that the models may use."""

from dataclasses import dataclass

from build_tools.cores import usable_cores
from build_tools.repository.names import COMPUTE
from build_tools.serving.errors import ServeError

_CORES_PER_THREAD = 8
_MOST_TRUNK_THREADS = 8
_MEGABYTE = 10**6


@dataclass(frozen=True)
class Resources:
    """Limits of one server.

    threads: of each branch. trunk_threads: of the trunk. at_once: trunks and branches that compute at the same time.
    result_cache: megabytes of answers that each router process remembers; 0 remembers none.
    """

    threads: int
    trunk_threads: int
    at_once: int
    result_cache: int

    def environment(self) -> dict[str, str]:
        """The environment variables that backends and router read."""
        return {
            "ESPALIER_THREADS": str(self.threads),
            "ESPALIER_TRUNK_THREADS": str(self.trunk_threads),
            "ESPALIER_AT_ONCE": str(self.at_once),
            "ESPALIER_RESULT_CACHE_BYTES": str(self.result_cache * _MEGABYTE),
        }

    def arguments(self) -> list[str]:
        """The arguments of tritonserver: its rate limiter keeps to `at_once`."""
        return ["--rate-limit=execution_count", f"--rate-limit-resource={COMPUTE}:{self.at_once}"]

    def __str__(self) -> str:
        cache = f", {self.result_cache} MB of answers remembered" if self.result_cache else ""
        return f"{self.at_once} models at once, threads {self.threads} (trunk {self.trunk_threads}){cache}"


def choose_resources(
    threads: int | None = None, trunk_threads: int | None = None, at_once: int | None = None, result_cache: int = 0
) -> Resources:
    """Chooses what is None by the number of cores that this process may use.

    Few cores are used best by many branches of one thread each: no thread waits for another one of its branch. The
    trunk has more threads, because a request's branches wait for it. One more model computes than there are
    cores for, because a model that has just finished is idle for some tenths of a millisecond (docs/experiments.md).
    Raises ServeError for fewer than one thread or model, or for a negative cache.
    """
    for option, value, least in (
        ("threads", threads, 1),
        ("trunk-threads", trunk_threads, 1),
        ("at-once", at_once, 1),
        ("result-cache", result_cache, 0),
    ):
        if value is not None and value < least:
            raise ServeError(f"--{option} {value} is too small: it must be at least {least}")
    cores = usable_cores()
    if threads is None:
        threads = max(1, cores // _CORES_PER_THREAD)
    if at_once is None:
        at_once = max(1, cores // threads) + 1
    if trunk_threads is None:
        trunk_threads = max(threads, min(cores, _MOST_TRUNK_THREADS))
    return Resources(threads, trunk_threads, at_once, result_cache)
