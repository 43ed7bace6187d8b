"""Credentials inside a bot's configuration: masked where it is shown, sealed where it is stored.

A value is a credential by its name, at any depth: `api_key`, `accessToken`, `X-Auth-Token`. The masked configuration
and the values behind its masks are stored apart, so showing a bot unseals nothing.
"""

import json
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from callmissed.sealing import Sealer

MASK = "[REDACTED]"
"""Mask of a credential. A mask that is sent back keeps the value."""

_ENDINGS = (
    "token",
    "accesstokens",
    "secret",
    "secrets",
    "password",
    "passwords",
    "passphrase",
    "apikey",
    "apikeys",
    "privatekey",
    "secretkey",
    "accesskey",
    "signingkey",
    "authorization",
    "credential",
    "credentials",
)
Path = tuple[str | int, ...]
Values = dict[Path, Any]


class NothingToKeep(Exception):
    """A mask at `path` stands for no stored value."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path


def is_credential(name: str) -> bool:
    """Whether a value of this name is a credential."""
    return "".join(filter(str.isalnum, name)).casefold().endswith(_ENDINGS)


def masked(config: Mapping[str, Any]) -> tuple[dict[str, Any], Values]:
    """`config` with masks, and the values that they stand for, by their path. A flag or nothing is no credential."""
    values: Values = {}
    return cast("dict[str, Any]", _masked(config, (), values)), values


def seal(values: Values, sealer: Sealer) -> str | None:
    """The values, sealed; None without any."""
    if not values:
        return None
    return sealer.seal(json.dumps([[path, value] for path, value in values.items()], ensure_ascii=False))


def unseal(sealed: str | None, sealer: Sealer) -> Values:
    """The values by their path. Raises UnsealError."""
    return {tuple(path): value for path, value in json.loads(sealer.unseal(sealed))} if sealed else {}


def kept(shown: Mapping[str, Any], values: Values, stored: Mapping[str, Any], earlier: Values) -> Values:
    """`values` of the masked configuration `shown`, where a value that is itself a mask is the one stored `earlier`.

    An element of a list keeps its values if an equal one is `stored`, masks included, wherever: lists get reordered,
    and a credential must not reach another element. Equal elements keep their places. Raises NothingToKeep.
    """
    origins = dict(_origins(shown, stored, (), ()))
    found: Values = {}
    for path, value in values.items():
        origin = origins.get(path)
        if value == MASK and origin not in earlier:
            raise NothingToKeep(path)
        found[path] = earlier[cast("Path", origin)] if value == MASK else value
    return found


def _masked(value: Any, path: Path, values: Values) -> Any:
    if isinstance(value, Mapping):
        return {name: _shown(name, each, (*path, name), values) for name, each in _items(value)}
    if isinstance(value, list):
        return [_masked(each, (*path, index), values) for index, each in enumerate(cast("list[Any]", value))]
    return value


def _shown(name: str, value: Any, path: Path, values: Values) -> Any:
    if not is_credential(name) or value in (None, "") or isinstance(value, bool):
        return _masked(value, path, values)
    values[path] = value
    return MASK


def _origins(new: Any, old: Any, path: Path, origin: Path) -> Iterator[tuple[Path, Path]]:
    """Paths of masks in `new`, each with the path in `old` from which its value is kept."""
    if new == MASK and old == MASK:
        yield path, origin
    elif isinstance(new, Mapping) and isinstance(old, Mapping):
        before = dict(_items(old))
        for name, value in _items(new):
            yield from _origins(value, before.get(name), (*path, name), (*origin, name))
    elif isinstance(new, list) and isinstance(old, list):
        yield from _origins_in_list(cast("list[Any]", new), cast("list[Any]", old), path, origin)


def _origins_in_list(new: Sequence[Any], old: Sequence[Any], path: Path, origin: Path) -> Iterator[tuple[Path, Path]]:
    texts, earlier = [_text_of(each) for each in new], [_text_of(each) for each in old]
    in_place = {index for index, pair in enumerate(zip(texts, earlier, strict=False)) if pair[0] == pair[1]}
    free: dict[str, deque[int]] = defaultdict(deque)
    for number, text in enumerate(earlier):
        if number not in in_place:
            free[text].append(number)
    for index, text in enumerate(texts):
        number = index if index in in_place else _next(free[text])
        if number is not None:
            yield from _origins(new[index], old[number], (*path, index), (*origin, number))


def _next(numbers: deque[int]) -> int | None:
    return numbers.popleft() if numbers else None


def _text_of(element: Any) -> str:
    """A text that equal elements have."""
    return json.dumps(element, ensure_ascii=False, sort_keys=True)


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    yield from cast("Mapping[str, Any]", value).items()
