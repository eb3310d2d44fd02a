"""Begins and ends exchanges, and tells the observers."""

import asyncio
import logging
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from build_tools.serving.gate.checks import check_id, is_id
from build_tools.serving.gate.observers import Exchange, Observer
from build_tools.serving.gate.refusal import Code, RefusedError

REQUEST_ID = "x-request-id"
TRACEPARENT = "traceparent"
_TRACE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Exchanges:
    """Of one gate process."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers
        self.inside = 0

    @contextmanager
    def exchange(self, protocol: str, method: str, headers: Mapping[str, str]) -> Iterator[Exchange]:
        """The context in which a request is answered. headers: HTTP headers or gRPC metadata.

        What is raised in it is raised on as RefusedError: a failure of the gate itself as INTERNAL, told in the log.
        """
        given, trace = headers.get(REQUEST_ID, ""), headers.get(TRACEPARENT, "")
        usable = given if is_id(given) else secrets.token_hex(8)
        exchange = Exchange(protocol, method, usable, trace if _TRACE.fullmatch(trace) else "")
        self.inside += 1
        for observer in self._observers:
            observer.began(exchange)
        try:
            check_id(given)
            yield exchange
        except RefusedError as error:
            exchange.code, exchange.sentence = error.code.label, error.sentence
            raise
        except (asyncio.CancelledError, GeneratorExit):
            exchange.code = Code.CANCELLED.label
            raise
        except Exception as error:
            logging.getLogger(__name__).exception("request %s failed in the gate", exchange.id)
            exchange.code, exchange.sentence = Code.INTERNAL.label, str(error)
            raise RefusedError(Code.INTERNAL, "the gate failed on this request.") from error
        finally:
            self.inside -= 1
            for observer in self._observers:
                observer.ended(exchange)
