"""OpenSSL's names for what went wrong, in words."""

_WORDS = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server asks for a client certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "the server does not trust the client's certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the server does not take the client's certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the client's certificate has expired",
    "WRONG_VERSION_NUMBER": "what answers there does not speak TLS",
    "RECORD_LAYER_FAILURE": "what answers there does not speak TLS",
}


def tls_reason(name: str) -> str:
    """Returns a few words for the name of an error."""
    return _WORDS.get(name, name.replace("_", " ").lower() or "TLS failed")
