"""Comparisons of one attribute, for the conditions of writes and the filters of reads.

    {"state": "pending", "n": below(50), "due": begins_with("2026")}

A plain value means equality.
"""

from dataclasses import dataclass

from callmissed.aws.attributes import Value


@dataclass(frozen=True, slots=True)
class Comparison:
    """A condition on an attribute. `template` has `{name}` for the attribute and `{0}`, `{1}` for the values."""

    template: str
    values: tuple[Value, ...] = ()


EXISTS = Comparison("attribute_exists({name})")


def equal(value: Value) -> Comparison:
    """The attribute is `value`."""
    return Comparison("{name} = {0}", (value,))


def at_least(value: Value) -> Comparison:
    """The attribute is `value` or more."""
    return Comparison("{name} >= {0}", (value,))


def at_most(value: Value) -> Comparison:
    """The attribute is `value` or less."""
    return Comparison("{name} <= {0}", (value,))


def above(value: Value) -> Comparison:
    """The attribute is more than `value`."""
    return Comparison("{name} > {0}", (value,))


def below(value: Value) -> Comparison:
    """The attribute is less than `value`."""
    return Comparison("{name} < {0}", (value,))


def between(lower: Value, upper: Value) -> Comparison:
    """The attribute is `lower`, `upper`, or between them."""
    return Comparison("{name} BETWEEN {0} AND {1}", (lower, upper))


def one_of(*values: Value) -> Comparison:
    """The attribute is one of `values`."""
    return Comparison(f"{{name}} IN ({', '.join(f'{{{index}}}' for index in range(len(values)))})", values)


def begins_with(prefix: str) -> Comparison:
    """The attribute is a text that begins with `prefix`."""
    return Comparison("begins_with({name}, {0})", (prefix,))


def missing_or(comparison: Comparison) -> Comparison:
    """The attribute does not exist (as when the item does not exist), or `comparison` holds."""
    return Comparison(f"(attribute_not_exists({{name}}) OR {comparison.template})", comparison.values)
