"""Fields that a request may not hold unless its provider's row, or its model's price, admits them.

Requests pass to the upstream as they are, so a field that we don't know could be one that the upstream charges for: a
hosted tool, a faster tier, audio. A dialect describes what every provider may get as shapes. The rest is closed, at
every depth, and each `FurtherField` has the name by which a provider's row admits it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

CACHE_CONTROL = "cache_control"
"""Name of all marks that ask the upstream to write its cache, which models with a price for it admit."""

LONG_CACHE = "cache_control.ttl"
"""Name of marks that ask for another lifetime than the usual, and so may cost more than the row's price."""

_CACHE_MARKS = frozenset({"cache_control", "prompt_cache_breakpoint", "prompt_cache_options", "prompt_cache_retention"})
_CONTAINERS = (dict, list)  # a tuple is tested in half the time of a union
_USUAL_LIFETIMES = (None, "5m", "30m")


@dataclass(frozen=True, slots=True)
class FurtherField:
    """A field beside what every provider gets: its `name` in a provider's row, and where it is in the request."""

    name: str
    param: str


@dataclass(frozen=True, slots=True)
class Shape:
    """An object that every provider may get: the names of its fields, and the shapes of the objects in them.

    A field may hold a list of such objects too. One that is neither `inner` nor `free` holds no object and no list.
    Where `by_type` is given, the object's `type` chooses its shape.
    """

    fields: frozenset[str] = frozenset()
    free: frozenset[str] = frozenset()
    inner: Mapping[str, "Shape"] = field(default_factory=dict[str, "Shape"])
    by_type: Mapping[str, "Shape"] | None = None


def shape(*fields: str, free: Iterable[str] = (), **inner: Shape) -> Shape:
    """The shape of an object with these fields: `free` may hold any JSON, `inner` are objects with their own shapes."""
    return Shape(frozenset({*fields, *free, *inner}), frozenset(free), inner)


def chosen_by_type(**by_type: Shape) -> Shape:
    """The shape of an object whose `type` chooses among these."""
    return Shape(by_type=by_type)


PROVIDER: Shape = shape("sort", "allow_fallbacks", free=("order", "only", "ignore", "max_price"))
"""The part of the field `provider` that the gateway understands, in every dialect."""


def further_fields(value: Mapping[str, Any], known: Shape) -> Iterator[FurtherField]:
    """What is in `value`, and in the objects inside, beside what is `known`. Fields that are null don't count."""
    return iter(()) if _is_known(value, known) else _further_in_object(value, known, "", "")


def _is_known(value: Mapping[str, Any], known: Shape) -> bool:
    """Whether there is nothing further in `value`, not even null. Runs for every call, so it builds nothing."""
    chosen = known if known.by_type is None else _chosen(value, known)
    if chosen is None or not chosen.fields.issuperset(value):
        return False
    for name, found in value.items():
        if isinstance(found, _CONTAINERS) and name not in chosen.free:
            inner = chosen.inner.get(name)
            if inner is None or not _all_known(cast("dict[str, Any] | list[Any]", found), inner):
                return False
    return True


def _all_known(found: dict[str, Any] | list[Any], known: Shape) -> bool:
    if isinstance(found, dict):
        return _is_known(found, known)
    for element in found:
        if not isinstance(element, str) and not (isinstance(element, dict) and _is_known(element, known)):  # pyright: ignore[reportUnknownArgumentType]  an element of any JSON
            return False
    return True


def _chosen(value: Mapping[str, Any], known: Shape) -> Shape | None:
    if known.by_type is None:
        return known
    kind = value.get("type")
    return known.by_type.get(kind) if isinstance(kind, str) else None


def _further(value: object, known: Shape, name: str, param: str) -> Iterator[FurtherField]:
    if isinstance(value, list):
        for index, element in enumerate(cast("list[object]", value)):
            yield from _further(element, known, name, f"{param}.{index}")
    elif isinstance(value, dict):
        yield from _further_in_object(cast("dict[str, Any]", value), known, name, param)


def _further_in_object(value: Mapping[str, Any], known: Shape, name: str, param: str) -> Iterator[FurtherField]:
    chosen = _chosen(value, known)
    if chosen is None:
        kind = value.get("type")
        yield FurtherField(_path(name, kind if isinstance(kind, str) else "?"), _path(param, "type"))
        return
    for further, given in value.items():
        if given is not None and not _is_open(further, given, chosen):
            yield FurtherField(_name(name, further, given), _path(param, further))
    for field_name, inner in chosen.inner.items():
        if field_name in value:
            yield from _further(value[field_name], inner, _path(name, field_name), _path(param, field_name))


def _is_open(name: str, value: object, known: Shape) -> bool:
    """Whether a field may pass, but for what is in its objects."""
    return name in known.fields and (name in known.free or name in known.inner or not isinstance(value, dict | list))


def _name(parent: str, further: str, value: object) -> str:
    if further not in _CACHE_MARKS:
        return _path(parent, further)
    return CACHE_CONTROL if _is_usual(further, value) else LONG_CACHE


def _is_usual(mark: str, value: object) -> bool:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).get("ttl") in _USUAL_LIFETIMES
    return mark == "prompt_cache_retention" and isinstance(value, str)


def _path(parent: str, child: str) -> str:
    return f"{parent}.{child}" if parent else child
