"""Values that fit a JSON schema: taken from the prompt where they fit, made up where not, always validated.

Depth-first with alternatives: every part offers candidates, the first valid one is kept.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from callmissed_ai.providers.sandbox.schema_values.checks import FillCounter, FitCheck, SchemaError, TooLargeError
from callmissed_ai.providers.sandbox.schema_values.merging import JsonSchema, Rules, flatten, merge, types_of
from callmissed_ai.providers.sandbox.schema_values.prompt_values import PromptValues
from callmissed_ai.providers.sandbox.schema_values.scalars import numbers, patterned_texts, texts, usual_kind

_MAX_DEPTH = 24
_DEEP = 4
_MAX_FROM_PROMPT = 10
_OBJECT_WORDS = frozenset({"properties", "required", "additionalProperties", "minProperties", "propertyNames"})
_ARRAY_WORDS = frozenset({"items", "prefixItems", "minItems", "uniqueItems", "contains"})
_NUMBER_WORDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})


def fill_schema(schema: Mapping[str, Any], values: PromptValues, counter: FillCounter | None = None) -> str:
    """JSON text that fits `schema`. Raises SchemaError when the schema is wrong or none is found."""
    try:
        value = _Filler(schema, values, counter or FillCounter()).value(schema, "", 0, 0)
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except TooLargeError as error:
        raise SchemaError(str(error)) from None
    except (ArithmeticError, ValueError):
        raise SchemaError("a number of the schema is out of range") from None
    except RecursionError:
        raise SchemaError("the schema is nested too deeply, or refers to itself without end") from None


class _Filler:
    """Fills the parts of one schema. `nth` distinguishes siblings in an array; `depth` counts containers."""

    def __init__(self, root: Mapping[str, Any], values: PromptValues, counter: FillCounter) -> None:
        self._root = root
        self._values = values
        self._check = FitCheck(root, counter)

    def value(self, schema: JsonSchema, name: str, nth: int, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise SchemaError("the schema has no end")
        rules = flatten(self._root, schema, self._check.step)
        for candidate in self._candidates(rules, name, nth, depth):
            self._check.step()
            if self._check.fits(candidate, schema):
                return candidate
        raise SchemaError(f"the sandbox finds no value for '{name}'" if name else "the sandbox finds no value")

    def _candidates(self, rules: Rules, name: str, nth: int, depth: int) -> Iterator[Any]:
        if "const" in rules:
            yield rules["const"]
        elif "enum" in rules:
            yield from self._enumerated(rules, nth)
        elif branches := _take_branches(rules):
            yield from self._alternatives(rules, branches, name, nth, depth)
        else:
            yield from self._offered(rules, name, nth)
            yield from self._typed(rules, name, nth, depth)

    def _enumerated(self, rules: Rules, nth: int) -> Iterator[Any]:
        options: list[Any] = rules["enum"]
        self._check.compare(options)
        if not nth:
            yield from (option for option in options if isinstance(option, str) and self._values.mentions(option))
            yield from (option for option in options if option == rules.get("default"))
        yield from (options[(nth + index) % len(options)] for index in range(len(options)))

    def _alternatives(self, rules: Rules, branches: list[JsonSchema], name: str, nth: int, depth: int) -> Iterator[Any]:
        for branch in _in_order(branches, nth, depth):
            try:
                merged = merge(rules, flatten(self._root, branch, self._check.step))
                yield self.value(merged, name, nth, depth)
            except SchemaError:
                continue

    def _offered(self, rules: Rules, name: str, nth: int) -> Iterator[Any]:
        free = name and not nth and not rules.keys() & {"pattern", "format"}
        named = self._values.named(name) if free else None
        if named is not None:
            yield named
        if "default" in rules and not nth:
            yield rules["default"]

    def _typed(self, rules: Rules, name: str, nth: int, depth: int) -> Iterator[Any]:
        match _type_of(rules):
            case "object":
                yield from self._objects(rules, nth, depth)
            case "array":
                yield from self._arrays(rules, name, nth, depth)
            case "integer" | "number":
                yield from numbers(rules, self._values, nth)
            case "boolean":
                yield from (nth % 2 == 0, nth % 2 == 1)
            case "null":
                yield None
            case _ if "pattern" in rules:
                yield from self._patterned(rules, nth)
            case _:
                yield from texts(rules, name, self._values, nth)

    def _patterned(self, rules: Rules, nth: int) -> Iterator[str]:
        for text in patterned_texts(rules, self._values, nth):
            self._check.trust(text, rules["pattern"])
            yield text

    def _objects(self, rules: Rules, nth: int, depth: int) -> Iterator[dict[str, Any]]:
        known: Rules = rules.get("properties", {})
        required: list[str] = rules.get("required", [])
        open_to_all = "required" not in rules and depth < _DEEP
        wanted = {name for name in known if open_to_all or self._is_spoken_of(name, known[name])}
        for names, further in ((wanted, 0), (set(known), 0), (set[str](), 0), (wanted, 1)):
            yield self._object(rules, [name for name in known if name in names], required, nth + further, depth)

    def _object(self, rules: Rules, optional: list[str], required: list[str], nth: int, depth: int) -> dict[str, Any]:
        known: Rules = rules.get("properties", {})
        others = rules.get("additionalProperties", True)
        filled: dict[str, Any] = {}
        for name in [name for name in known if name in optional or name in required]:
            try:
                filled[name] = self.value(known[name], name, nth, depth + 1)
            except SchemaError:
                if name in required:
                    raise
        for name in required:
            if name not in known:
                filled[name] = self.value(others, name, nth, depth + 1)
        for number in range(rules.get("minProperties", 0) - len(filled)):
            name = self._invented_name(rules, number, depth)
            filled[name] = self.value(others, name, nth, depth + 1)
        return filled

    def _invented_name(self, rules: Rules, number: int, depth: int) -> str:
        if "propertyNames" not in rules:
            return f"sandbox_{number + 1}"
        return self.value({"allOf": [{"type": "string"}, rules["propertyNames"]]}, "name", number, depth + 1)

    def _is_spoken_of(self, name: str, schema: JsonSchema) -> bool:
        options = schema.get("enum", ()) if isinstance(schema, Mapping) else ()
        spoken = any(isinstance(option, str) and self._values.mentions(option) for option in options)
        return spoken or self._values.mentions(name) or self._values.named(name) is not None

    def _arrays(self, rules: Rules, name: str, nth: int, depth: int) -> Iterator[list[Any]]:
        given: Any = rules.get("items", True)
        first = cast("list[JsonSchema]", given if isinstance(given, list) else rules.get("prefixItems", []))
        rest: JsonSchema = rules.get("additionalItems", True) if isinstance(given, list) else given
        least = max(rules.get("minItems", 0), rules.get("minContains", 1) if "contains" in rules else 0)
        for size in (self._likely_size(rules, len(first), rest, least, depth), least):
            schemas = (self._item(rules, first, rest, index) for index in range(size))
            yield [self.value(schema, name, nth + index, depth + 1) for index, schema in enumerate(schemas)]

    def _item(self, rules: Rules, first: list[JsonSchema], rest: JsonSchema, index: int) -> JsonSchema:
        schema = first[index] if index < len(first) else rest
        needed = rules.get("minContains", 1) if "contains" in rules else 0
        return {"allOf": [schema, rules["contains"]]} if index < needed else schema

    def _likely_size(self, rules: Rules, prefix: int, rest: JsonSchema, least: int, depth: int) -> int:
        """As many items as the prompt has values for, else one, or none where it is deep already."""
        item: Mapping[str, Any] = rest if isinstance(rest, Mapping) else {}
        kind = usual_kind(item) if item.get("type") in ("string", "integer", "number") else ""
        usual = 0 if depth >= _DEEP or rest is False or ("items" not in rules and not prefix) else 1
        likely = max(usual, prefix, min(self._values.left(kind), _MAX_FROM_PROMPT), least)
        return min(likely, rules.get("maxItems", likely))


def _take_branches(rules: Rules) -> list[JsonSchema]:
    """The alternatives of the first keyword with alternatives; the keyword is removed from `rules`."""
    if "anyOf" in rules:
        return rules.pop("anyOf")
    if "oneOf" in rules:
        options: list[JsonSchema] = rules.pop("oneOf")
        return [_only(option, options[:at] + options[at + 1 :]) for at, option in enumerate(options)]
    if "if" in rules:
        condition, then = rules.pop("if"), rules.pop("then", True)
        return [{"allOf": [condition, then]}, _only(rules.pop("else", True), [condition])]
    names = types_of(rules["type"]) if "type" in rules else []
    return [{"type": name} for name in names] if len(names) != 1 else []


def _only(schema: JsonSchema, others: list[JsonSchema]) -> JsonSchema:
    return {"allOf": [schema], "not": {"anyOf": others}} if others else schema


def _in_order(branches: list[JsonSchema], nth: int, depth: int) -> list[JsonSchema]:
    """Alternatives in turn, null last; simple ones first where it is deep already, so that recursion ends."""
    if depth >= _DEEP:
        return sorted(branches, key=_weight)
    full = [branch for branch in branches if _weight(branch)]
    turned = [full[(nth + index) % len(full)] for index in range(len(full))]
    return [*turned, *(branch for branch in branches if not _weight(branch))]


def _weight(branch: JsonSchema) -> int:
    if isinstance(branch, Mapping) and "not" in branch:
        return _weight(branch.get("allOf", [True])[0])
    if not isinstance(branch, Mapping) or branch.get("type") == "null":
        return 0
    return 1 if branch.get("type") in ("string", "number", "integer", "boolean") or "const" in branch else 2


def _type_of(rules: Rules) -> str:
    if "type" in rules:
        return types_of(rules["type"])[0]
    for words, name in ((_OBJECT_WORDS, "object"), (_ARRAY_WORDS, "array"), (_NUMBER_WORDS, "number")):
        if words & rules.keys():
            return name
    return "string"
