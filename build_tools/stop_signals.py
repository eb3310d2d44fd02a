"""The signals that end a command, besides Ctrl-C."""

import signal


def stop_signals() -> list[signal.Signals]:
    """SIGTERM, and SIGHUP (its terminal was closed) unless the command runs under nohup, which ignores it."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGTERM] if ignored else [signal.SIGTERM, signal.SIGHUP]
