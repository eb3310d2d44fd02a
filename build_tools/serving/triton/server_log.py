"""Finds the lines of Triton's log that say why the server did not start."""

import re

_LOGGED = re.compile(r'^(?P<level>[IWE])\d{4} \S+ +\d+ (?P<source>\S+:\d+)\] ?"?(?P<message>.*?)"?$')
_TABLE = re.compile(r"^[+|]")
# Logged as an error on every machine without a GPU.
_NOISE = re.compile("CudaDriverHelper has not been initialized|CUDA driver version is insufficient")
_LINES_SHOWN = 30


def error_lines(log: str) -> str:
    """Returns Triton's error messages and lines outside its log format, or else the last lines of the log."""
    telling = []
    for line in log.splitlines():
        logged = _LOGGED.match(line)
        if logged is None:
            if line.strip() and not _TABLE.match(line):
                telling.append(line)
        elif logged["level"] == "E" and not _NOISE.search(line):
            # Triton logs a message of several lines as one line, with escapes.
            telling.extend(part for part in logged["message"].split("\\n") if part.strip())
    return "\n".join((telling or log.splitlines())[-_LINES_SHOWN:])
