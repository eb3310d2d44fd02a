"""Why TLS over HTTP failed."""

import ssl

# The other side's alerts, for which OpenSSL has only names.
_ALERTS = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server asks for a client certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "the server does not trust the client's certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the server does not take the client's certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the client's certificate has expired",
    "WRONG_VERSION_NUMBER": "what answers there does not speak TLS",
    "RECORD_LAYER_FAILURE": "what answers there does not speak TLS",
}


def untrusted_reason(error: BaseException) -> str | None:
    """Returns why a TLS connection could not be made, or None if the error is about something else."""
    for cause in (error, getattr(error, "certificate_error", None), getattr(error, "os_error", None)):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            reason = cause.reason or ""
            return _ALERTS.get(reason, reason.replace("_", " ").lower() or "TLS failed")
    return None
