"""What is wrong with a file whose content does not fit its pydantic model, in words for a message."""

from pydantic import ValidationError

_MOST_CHARACTERS = 100  # of a field's name


def first_problem(error: ValidationError) -> str:
    """Returns the first problem as "field: what is wrong", or only what is wrong if it is not about one field.

    A field's name may be the file's own: it is shown on one line, and not without end.
    """
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"] if part != "[key]")  # pydantic's word for "a key of the dict"
    field = (field if field.isprintable() else repr(field))[:_MOST_CHARACTERS]
    message = first["msg"].removeprefix("Value error, ")
    return f"{field}: {message}" if field else message
