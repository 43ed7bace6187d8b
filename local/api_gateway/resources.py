"""The route of a path: API Gateway chooses the resource with the most literal template.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-settings-method-request.html
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from callmissed.platform.routes import Route
from callmissed.web.unknown_route import unknown_route

_NAME = re.compile(r"\{(\w+)(\+?)\}")


@dataclass(frozen=True, slots=True)
class ApiResource:
    """A path template with the routes of its methods."""

    pattern: re.Pattern[str]
    routes: tuple[Route, ...]


def resources(routes: Sequence[Route]) -> list[ApiResource]:
    """The templates of `routes`, in the order in which they are tried."""
    templates = sorted({route.path for route in routes}, key=_rank)
    return [
        ApiResource(_pattern(template), tuple(route for route in routes if route.path == template))
        for template in templates
    ]


def find_route(resources: Sequence[ApiResource], method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route for `path` (percent-encoded), and the values of its template's names, encoded as in the path.

    Preflights go to the function of the resource, because the response depends on the keys' domain locks.
    Raises ApiError 404, also where another method exists, as API Gateway does; its own text names no route.
    """
    for resource in resources:
        if found := resource.pattern.fullmatch(path):
            for route in resource.routes:
                if method == route.method or (method == "OPTIONS" and route.has_preflight):
                    return route, found.groupdict()
            break
    raise unknown_route(method, path, [route for resource in resources for route in resource.routes])


def _rank(template: str) -> list[int]:
    """Literal segments before named ones, and a named rest last."""
    return [0 if "{" not in part else 2 if "+" in part else 1 for part in template.split("/")]


def _pattern(template: str) -> re.Pattern[str]:
    literals = _NAME.split(template)
    parts = [re.escape(literals[0])]
    for name, rest, literal in zip(literals[1::3], literals[2::3], literals[3::3], strict=True):
        parts += [f"(?P<{name}>{'.+' if rest else '[^/]+'})", re.escape(literal)]
    return re.compile("".join(parts))
