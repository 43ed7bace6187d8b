"""IAM's decision about one request, by the statements of policies.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

from rehearsal.errors import UnsupportedError

Statement = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """`action` on the resource of ARN `resource`. `context` are the condition keys that AWS sets.

    `service` is the principal of a resource's policy, such as `events.amazonaws.com`; an identity's policy has none.
    """

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict[str, str])
    service: str | None = None


def allows(statements: Sequence[Statement], request: AccessRequest) -> bool:
    """Whether an Allow and no Deny among `statements` applies. Raises UnsupportedError."""
    effects = {statement["Effect"] for statement in statements if _applies(statement, request)}
    return effects == {"Allow"}


def statements_of(document: Mapping[str, Any]) -> list[Statement]:
    """The statements of a policy document."""
    return _listed(document.get("Statement", []))


def matches(pattern: str, text: str) -> bool:
    """Whether `text` fits an IAM `pattern`, which knows `*` and `?`."""
    return _pattern(pattern).fullmatch(text) is not None


def _applies(statement: Statement, request: AccessRequest) -> bool:
    return (
        _names(statement, "Action", request.action.lower(), str.lower)
        and _names(statement, "Resource", request.resource, str)
        and _is_principal(statement, request.service)
        and all(_holds(operator, keys, request) for operator, keys in statement.get("Condition", {}).items())
    )


def _names(statement: Statement, element: str, text: str, form: Callable[[str], str]) -> bool:
    """Whether `Action` or `Resource`, or its negation, covers `text`."""
    if (inverted := f"Not{element}") in statement:
        return not any(matches(form(each), text) for each in _listed(statement[inverted]))
    return any(matches(form(each), text) for each in _listed(statement.get(element, [])))


def _is_principal(statement: Statement, service: str | None) -> bool:
    if service is None:
        return "Principal" not in statement
    principal = statement.get("Principal", {})
    if principal == "*":
        return True
    given = cast("Mapping[str, Any]", principal)
    return service in _listed(given.get("Service", [])) or "*" in _listed(given.get("AWS", []))


def _holds(operator: str, keys: Mapping[str, Any], request: AccessRequest) -> bool:
    optional = operator.endswith("IfExists")
    compare = _OPERATORS.get(operator.removesuffix("IfExists"))
    if compare is None:
        raise UnsupportedError(f"the rehearsal does not know the condition operator {operator}")
    context = {"aws:securetransport": "true"} | {name.lower(): value for name, value in request.context.items()}
    for key, wanted in keys.items():
        given = context.get(key.lower())
        if given is None and optional:
            continue
        if given is None or not any(compare(str(each), given) for each in _listed(wanted)):
            return False
    return True


def _same(wanted: str, given: str) -> bool:
    return wanted == given


def _same_boolean(wanted: str, given: str) -> bool:
    return wanted.lower() == given.lower()


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "ArnEquals": matches,
    "ArnLike": matches,
    "Bool": _same_boolean,
    "StringEquals": _same,
    "StringLike": matches,
}


def _listed(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile("".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern), re.DOTALL)
