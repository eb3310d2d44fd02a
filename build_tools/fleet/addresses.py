"""The addresses of a fleet's servers, as --fleet gives them."""

from build_tools.errors import BuildError
from clients.address import Address, parse_address
from clients.errors import RequestRejected


def fleet_addresses(text: str) -> tuple[Address, ...]:
    """Reads the HTTP addresses of gates, with commas between them: `http://a:8000,https://b:8000`, or `a:8000,b:8000`.

    One without a scheme has that of the first, which is http:// if it has none either. One that is given twice counts
    once. Raises BuildError if one is no HTTP address, or if there is none.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise BuildError("--fleet is empty: give the HTTP addresses of the servers' gates, such as http://a:8000.")
    first, separator, _ = parts[0].rpartition("://")
    scheme = first if separator else "http"
    return tuple(dict.fromkeys(_address(part if "://" in part else f"{scheme}://{part}") for part in parts))


def _address(url: str) -> Address:
    try:
        address = parse_address(url)
    except RequestRejected as error:
        raise BuildError(f"--fleet: {error}") from error
    if address.transport != "http":
        raise BuildError(
            f"--fleet {url} is a gRPC address: give the HTTP addresses of the servers' gates, such as "
            f"http://{address.host}:8000."
        )
    return address
