"""What all batches of one router process share."""

from dataclasses import dataclass, field

from router.branch_layers import BranchLayers
from router.breakers import Breakers
from router.call_threads import CallThreads
from router.durations import Durations
from router.failure_log import FailureLog
from router.metrics import RouterMetrics
from router.result_cache import ResultCache
from router.trunk import Trunk


@dataclass(frozen=True)
class Equipment:
    """calls: the threads in which trunks and branches are called. layers: how many each branch has."""

    trunk: Trunk
    calls: CallThreads
    cache: ResultCache
    breakers: Breakers
    metrics: RouterMetrics
    layers: BranchLayers
    durations: Durations = field(default_factory=Durations)
    failures: FailureLog = field(default_factory=FailureLog)
