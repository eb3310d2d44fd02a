"""Triton's protobuf messages as its HTTP endpoint writes them: all plain fields present, numbers of 64 bits as numbers.

protobuf's own JSON form writes those as strings, which clients of statistics do not expect.
"""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message


def as_json(message: Message) -> dict[str, Any]:
    """Returns the message as what orjson writes."""
    written: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.label == FieldDescriptor.LABEL_REPEATED:
            if field.message_type is not None and field.message_type.GetOptions().map_entry:
                of_values = field.message_type.fields_by_name["value"]
                written[field.name] = {str(key): _value(of_values, value[key]) for key in value}
            else:
                written[field.name] = [_value(field, one) for one in value]
        elif not field.has_presence or message.HasField(field.name):
            written[field.name] = _value(field, value)
    return written


def _value(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is not None:
        return as_json(value)
    if field.enum_type is not None:
        return field.enum_type.values_by_number[value].name
    return value.decode("latin-1") if isinstance(value, bytes) else value
