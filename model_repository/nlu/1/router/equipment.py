"""What all batches of one router process share."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from router.branch_layers import BranchLayers
from router.breakers import Breakers
from router.durations import Durations
from router.failure_log import FailureLog
from router.metrics import RouterMetrics
from router.result_cache import ResultCache
from router.trunk import Trunk


@dataclass(frozen=True)
class Equipment:
    """calls: the threads in which trunks and branches are called. layers: how many each branch has."""

    trunk: Trunk
    calls: ThreadPoolExecutor
    cache: ResultCache
    breakers: Breakers
    metrics: RouterMetrics
    layers: BranchLayers
    durations: Durations = field(default_factory=Durations)
    failures: FailureLog = field(default_factory=FailureLog)
