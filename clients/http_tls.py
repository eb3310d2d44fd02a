"""Why TLS over HTTP failed."""

import ssl

from clients.tls_reason import tls_reason


def untrusted_reason(error: BaseException) -> str | None:
    """Returns why a TLS connection could not be made, or None if the error is about something else."""
    # aiohttp's own errors are of ssl's classes too, without what those know.
    for cause in (getattr(error, "certificate_error", None), getattr(error, "os_error", None), error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        if isinstance(cause, ssl.SSLError) and not is_closed(cause):
            return tls_reason(cause.reason or "")
    return None


def is_closed(error: BaseException) -> bool:
    """Whether the other side ended the connection, as a server does that misses a client certificate."""
    return isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)
