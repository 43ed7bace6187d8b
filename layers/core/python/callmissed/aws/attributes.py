"""DynamoDB's JSON for the few types that hot items use.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html
Numbers are integers only, as money is. boto3's own serializer uses Decimal contexts and takes several times the CPU.
"""

import base64
from collections.abc import Mapping
from typing import Any, cast

Value = Any
Item = dict[str, Any]


def to_attribute(value: Value) -> dict[str, Any]:
    """DynamoDB JSON of a str, bytes, int, bool, None, list, frozenset of str, or mapping of these."""
    match value:
        case str():
            return {"S": value}
        case bytes():
            return {"B": base64.b64encode(value).decode()}
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case None:
            return {"NULL": True}
        case frozenset() | set():
            return {"SS": sorted(cast("frozenset[str]", value))}
        case Mapping():
            return {"M": to_item(cast("Mapping[str, Value]", value))}
        case list() | tuple():
            return {"L": [to_attribute(element) for element in cast("list[Value]", value)]}
        case _:
            raise TypeError(f"no DynamoDB attribute for {type(value).__name__}")


def to_item(values: Mapping[str, Value]) -> dict[str, Any]:
    """DynamoDB JSON of an item or of expression values."""
    return {name: to_attribute(value) for name, value in values.items()}


def from_attribute(attribute: Mapping[str, Any]) -> Value:
    """The Python value of a DynamoDB attribute; the inverse of `to_attribute`."""
    ((kind, value),) = attribute.items()
    match kind:
        case "N":
            return int(value)
        case "B":
            return base64.b64decode(value)
        case "M":
            return from_item(value)
        case "L":
            return [from_attribute(element) for element in value]
        case "SS":
            return frozenset(value)
        case "NULL":
            return None
        case _:
            return value


def from_item(item: Mapping[str, Any]) -> Item:
    """Plain values of a DynamoDB item."""
    return {name: from_attribute(attribute) for name, attribute in item.items()}
