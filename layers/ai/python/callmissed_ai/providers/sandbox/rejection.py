"""Rejection of a request as by OpenAI: HTTP 400 and an error object that names the field and its fault."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

_JSON_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "a boolean"),
    (int, "an integer"),
    (float, "a decimal"),
    (str, "a string"),
    (list, "an array"),
    (dict, "an object"),
)
_EXPECTED = {
    "string_type": "a string",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a decimal",
    "finite_number": "a finite decimal",
    "bool_type": "a boolean",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
_LIMITS = {"greater_than_equal": ("ge", "below minimum", ">="), "less_than_equal": ("le", "above maximum", "<=")}


class Rejected(Exception):
    """The request is refused with HTTP 400. `param` is the field at fault, `code` OpenAI's code of the fault."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


def rejection_of(error: ValidationError) -> Rejected:
    """The refusal for the first fault that validation found."""
    fault = error.errors(include_url=False)[0]
    path = _path(fault["loc"])
    kind = fault["type"]
    if kind == "missing":
        return Rejected(f"Missing required parameter: '{path}'.", path, "missing_required_parameter")
    if kind in _LIMITS:
        return _outside_limit(path, fault)
    if kind in _EXPECTED:
        message = f"Invalid type for '{path}': expected {_EXPECTED[kind]}, but got {_name_of(fault['input'])} instead."
        return Rejected(message, path, "invalid_type")
    if kind in ("too_short", "too_long"):
        return _wrong_length(path, fault)
    return Rejected(f"Invalid value for '{path}': {fault['msg']}.", path, "invalid_value")


def _outside_limit(path: str, fault: ErrorDetails) -> Rejected:
    limit, direction, sign = _LIMITS[fault["type"]]
    kind = "integer" if isinstance(fault["input"], int) else "decimal"
    bound = _context(fault)[limit]
    message = f"Invalid '{path}': {kind} {direction} value. Expected a value {sign} {bound}, but got {fault['input']}."
    return Rejected(message, path, f"{kind}_{direction.replace('imum', '').replace(' ', '_')}_value")


def _wrong_length(path: str, fault: ErrorDetails) -> Rejected:
    context = _context(fault)
    if fault["type"] == "too_short":
        message = f"Invalid '{path}': empty array. Expected an array with minimum length {context['min_length']}."
        return Rejected(message, path, "empty_array")
    message = f"Invalid '{path}': array too long. Expected an array with maximum length {context['max_length']}."
    return Rejected(message, path, "array_above_max_length")


def _context(fault: ErrorDetails) -> Mapping[str, Any]:
    return fault.get("ctx", {})


def _path(loc: Sequence[int | str]) -> str:
    """`messages[0].role` for a pydantic location; tags of unions, in angle brackets, are left out."""
    steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc if not str(step).startswith("<")]
    return "".join(steps).removeprefix(".")


def _name_of(value: object) -> str:
    if value is None:
        return "null"
    return next((name for kind, name in _JSON_NAMES if isinstance(value, kind)), "something else")
