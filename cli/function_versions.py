"""Versions of a deployed function: the one behind the alias, and those that earlier deployments left."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from callmissed.clock import SECOND, Micros
from cli.output import Row

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient
    from types_boto3_lambda.type_defs import AliasConfigurationTypeDef, FunctionConfigurationTypeDef

LIVE = "live"
"""The alias that callers use."""

_LATEST = "$LATEST"
_MOVE_SECONDS = 300
"""An alias moves when its new version is ready, some minutes after that was published, and not everywhere at once."""


@dataclass(slots=True)
class PrunedFunction:
    """What became of a function's versions. At `idle_at` no call can run any more on those that may still have some."""

    name: str
    live: str
    deleted: list[str]
    kept: list[str]
    idle_at: Micros | None = None

    def row(self) -> Row:
        """The row of the function."""
        return {"function": self.name, "live": self.live, "deleted": self.deleted, "kept": self.kept}


def prune_function(api: "LambdaClient", name: str, now: Micros, keep: int) -> PrunedFunction | None:
    """Delete what was live before the function's live version, but the newest `keep`; None without such a function.

    A version stays as long as a call that began before the alias left it may run. A version newer than the live one
    stays too: a deployment may be about to move the alias to it. Raises botocore's errors.
    """
    try:
        versions, aliases = _versions(api, name), _aliases(api, name)
    except api.exceptions.ResourceNotFoundException:
        return None
    live = aliases.get(LIVE, {}).get("FunctionVersion", "")
    result = PrunedFunction(name, live if live in versions else "", [], [])
    unused = sorted(versions.keys() - _used(aliases.values()), key=int, reverse=True)
    newer = [version for version in unused if not result.live or int(version) > int(result.live)]
    result.kept += unused[: len(newer) + keep]
    for version in unused[len(newer) + keep :]:
        if now < (idle_at := _idle_at(versions[version], versions[result.live])):
            result.kept.append(version)
            result.idle_at = max(idle_at, result.idle_at or idle_at)
        else:
            api.delete_function(FunctionName=name, Qualifier=version)
            result.deleted.append(version)
    return result


def _versions(api: "LambdaClient", name: str) -> "dict[str, FunctionConfigurationTypeDef]":
    pages = api.get_paginator("list_versions_by_function").paginate(FunctionName=name)
    found = {version.get("Version", _LATEST): version for page in pages for version in page["Versions"]}
    return {number: version for number, version in found.items() if number != _LATEST}


def _aliases(api: "LambdaClient", name: str) -> "dict[str, AliasConfigurationTypeDef]":
    pages = api.get_paginator("list_aliases").paginate(FunctionName=name)
    return {alias.get("Name", ""): alias for page in pages for alias in page["Aliases"]}


def _used(aliases: "Iterable[AliasConfigurationTypeDef]") -> set[str]:
    """Versions that an alias sends calls to."""
    used: set[str] = set()
    for alias in aliases:
        weights = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        used |= {alias.get("FunctionVersion", ""), *weights}
    return used


def _idle_at(version: "FunctionConfigurationTypeDef", live: "FunctionConfigurationTypeDef") -> Micros:
    """Time from which no call can run on `version`, when `live` came after it."""
    published = int(datetime.fromisoformat(live.get("LastModified", "")).timestamp())
    return Micros((published + _MOVE_SECONDS + version.get("Timeout", 0)) * SECOND)
