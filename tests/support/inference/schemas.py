"""Ways to write JSON schemas, and to fill them and check the outcome with the jsonschema library."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for

from callmissed_ai.providers.sandbox.schema_values.filling import fill_schema
from callmissed_ai.providers.sandbox.schema_values.prompt_values import PromptValues

PROMPT = 'Send "Guten Tag" to anna@example.org from Delhi to Mumbai on 2026-03-04, 3 bags of 12.5 kg, unit: kelvin'
TEXT, INT, NUM, NULL = {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "null"}


def obj(required: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    names = list(properties) if required is None else required
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


def arr(items: Any, **rules: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **rules}


def filled(schema: dict[str, Any], prompt: str = PROMPT) -> Any:
    value = json.loads(fill_schema(schema, PromptValues(prompt)), parse_constant=pytest.fail)
    validator_for(schema, Draft202012Validator)(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(
        value
    )
    return value


FORMATS = [
    *("date", "date-time", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6"),
    *("uri", "uri-reference", "iri", "iri-reference", "uri-template", "uuid", "json-pointer"),
    *("relative-json-pointer", "regex", "phone"),
]
PATTERNS = [
    r"^[A-Z]{2}\d{4}$",
    r"^\+?[1-9]\d{1,14}$",
    r"^(red|green)-[^\s\d]+$",
    r"^(?P<year>\d{4})-(?P<month>0[1-9]|1[0-2])$",
    r"^[\w.+-]+@[\w-]+\.[a-z]{2,}$",
    r"^\S+$",
    r"^(ab)\1$",
    r"^(?:a|b)?c*d+?$",
    r"needle",
    r"^[^a-z]\W\D.$",
    r"^[अ-ह]{2,4}$",
    r"(a+)+$",
    r"^#(?:[0-9a-fA-F]{3}){1,2}$",
]
