"""DynamoDB's expressions: conditions, updates and filters as text with placeholders.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html
"""

from collections.abc import Iterable, Mapping
from typing import Any

from callmissed.aws.attributes import Value, to_attribute
from callmissed.aws.comparisons import Comparison, equal


class Expressions:
    """The expressions of one request, which share the placeholders of its names and values."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        self._expressions: dict[str, str] = {}

    def write(self, kind: str, text: str) -> None:
        """Make `text` the request's expression of `kind`, such as `FilterExpression`; an empty one is left out."""
        if text:
            self._expressions[kind] = text

    def name(self, attribute: str) -> str:
        """Placeholder of the attribute's name."""
        placeholder = f"#{attribute}"
        self._names[placeholder] = attribute
        return placeholder

    def names(self, attributes: Iterable[str]) -> str:
        """Placeholders of names, with commas."""
        return ", ".join(map(self.name, attributes))

    def value(self, value: Value) -> str:
        """Placeholder of a value."""
        placeholder = f":v{len(self._values)}"
        self._values[placeholder] = to_attribute(value)
        return placeholder

    def conditions(self, expected: Mapping[str, Value | Comparison]) -> list[str]:
        """A condition for each attribute of `expected`."""
        return [self.condition(attribute, wanted) for attribute, wanted in expected.items()]

    def condition(self, attribute: str, wanted: Value | Comparison) -> str:
        """The condition that `attribute` is as `wanted`."""
        comparison = wanted if isinstance(wanted, Comparison) else equal(wanted)
        return comparison.template.format(*map(self.value, comparison.values), name=self.name(attribute))

    @property
    def request(self) -> dict[str, Any]:
        """The parts of the request."""
        request: dict[str, Any] = dict(self._expressions)
        if self._names:
            request["ExpressionAttributeNames"] = self._names
        if self._values:
            request["ExpressionAttributeValues"] = self._values
        return request
