"""What is wrong with a file whose content does not fit its pydantic model, in words for a message."""

from pydantic import ValidationError


def first_problem(error: ValidationError) -> str:
    """Returns the first problem as "field: what is wrong", or only what is wrong if it is not about one field."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"] if part != "[key]")  # pydantic's word for "a key of the dict"
    message = first["msg"].removeprefix("Value error, ")
    return f"{field}: {message}" if field else message
