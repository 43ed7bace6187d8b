"""JSON that fits a schema, taken from a prompt where it can be.

`fitting_json` is the entry point; `check_is_object` and `check_strict` are OpenAI's own rules for schemas. Own code,
because the best library passes only 61 of the 69 schemas of our tests.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from callmissed_ai.providers.sandbox.schema_values.checks import FillCounter, SchemaError, check_is_object, check_strict
from callmissed_ai.providers.sandbox.schema_values.filling import fill_schema
from callmissed_ai.providers.sandbox.schema_values.prompt_values import PromptValues

__all__ = ["FillCounter", "SchemaError", "check_is_object", "check_strict", "fitting_json"]


def fitting_json(
    schema: Mapping[str, Any],
    text: str,
    results: Sequence[str] = (),
    skipped: Collection[str] = (),
    counter: FillCounter | None = None,
) -> str:
    """JSON text that fits `schema`, with values from `text` and from JSON `results`, except those in `skipped`.

    `counter` is shared by the schemas of one request.

    Raises SchemaError when the schema is wrong or no fitting value is found.
    """
    return fill_schema(schema, PromptValues(text, results, skipped=skipped), counter)
