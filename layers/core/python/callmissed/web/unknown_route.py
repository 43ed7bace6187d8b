"""404 for a path or method that no route has: the request as it came, and the route that was probably meant."""

import re
from collections.abc import Sequence

from callmissed.errors import ApiError
from callmissed.platform.routes import ROUTES, Route

_MAX_PATH = 120
_MAX_SEGMENT = 32
"""Our ids have fewer characters; secrets have more."""

_SIMILAR = 0.7
_SECRET = re.compile(r"(cm_|sk-|sk_|rk_|pk_|gsk_|whsec_|xox|ghp_|akia|aiza|eaa|eyj|bearer)", re.IGNORECASE)
_SHOWN = re.compile(r"[A-Za-z0-9._~:@+{}-]*")
_PARAMETER = re.compile(r"\{\w+\+?\}")


def unknown_route(method: str, path: str, routes: Sequence[Route] = ROUTES) -> ApiError:
    """404 for `method` and `path`, with the most similar of `routes`. Shows nothing that may be a secret."""
    shown = "/".join(map(_segment, path[:_MAX_PATH].split("/")))
    meant = _similar(method, path[:_MAX_PATH], routes)
    hint = f" Did you mean {meant.method} {meant.path}?" if meant else ""
    return ApiError(404, "not_found", f"There is no such route: {_method(method)} {shown}.{hint}")


def _method(method: str) -> str:
    return method if method.isalpha() and method.isascii() and len(method) <= len("OPTIONS") else "…"


def _segment(text: str) -> str:
    """A segment of the path, or `…` for one that is long, odd, or looks like a secret."""
    plain = len(text) <= _MAX_SEGMENT and _SHOWN.fullmatch(text) and not _SECRET.match(text)
    return text if plain else "…"


def _similar(method: str, path: str, routes: Sequence[Route]) -> Route | None:
    from difflib import SequenceMatcher  # few processes ever need it

    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(path.rstrip("/").lower())
    ranked: list[tuple[float, bool, int]] = []
    for number, route in enumerate(routes):
        matcher.set_seq1(_filled(route.path, path).lower())
        if matcher.real_quick_ratio() >= _SIMILAR and matcher.quick_ratio() >= _SIMILAR:
            ranked.append((matcher.ratio(), route.method == method, -number))
    best = max(ranked, default=None)
    return routes[-best[2]] if best and best[0] >= _SIMILAR else None


def _filled(template: str, path: str) -> str:
    """`template` with the values that `path` has in the places of its names."""
    values = path.split("/")
    return "/".join(_fill(segments, values) for segments in enumerate(template.split("/")))


def _fill(segment: tuple[int, str], values: Sequence[str]) -> str:
    place, text = segment
    if not _PARAMETER.fullmatch(text) or place >= len(values):
        return text
    return "/".join(values[place:]) if text.endswith("+}") else values[place]
