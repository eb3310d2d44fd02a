"""What all batches of one router process share."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from router.breakers import Breakers
from router.durations import Durations
from router.failure_log import FailureLog
from router.metrics import RouterMetrics
from router.result_cache import ResultCache
from router.trunk import Trunk


@dataclass(frozen=True)
class Equipment:
    """calls: the threads in which trunks and branches are called."""

    trunk: Trunk
    calls: ThreadPoolExecutor
    cache: ResultCache
    breakers: Breakers
    metrics: RouterMetrics
    durations: Durations = field(default_factory=Durations)
    failures: FailureLog = field(default_factory=FailureLog)
