"""Ask a served Espalier repository: text in, every task's answer out.

Needs neither torch nor anything of the training and build side.
"""

from clients.answer import Answer, ScoredLabel, Span, Word
from clients.async_client import AsyncClient
from clients.client import Client
from clients.errors import RequestRejected, ServerFailed, ServerUnavailable
from espalier_errors import EspalierError

__all__ = [
    "Answer",
    "AsyncClient",
    "Client",
    "EspalierError",
    "RequestRejected",
    "ScoredLabel",
    "ServerFailed",
    "ServerUnavailable",
    "Span",
    "Word",
]
