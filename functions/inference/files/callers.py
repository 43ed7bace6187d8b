"""Whose files a request may create and see.

A file by itself serves no AI call, so no permission of its own exists: a key with `llm` may use all files of its
tenant, a key with `stt` alone those for audio. Others have no use for files, and a key that is locked to the domains of
a web page should not show the tenant's documents there.
"""

from collections.abc import Collection
from dataclasses import dataclass

from fastapi import Request

from callmissed.errors import ApiError
from callmissed.files.records import FileOwner
from callmissed.plans.plans import limits
from callmissed.platform.routes import Permission
from functions.inference.serving import authenticate_payer

_ALL = frozenset({"*", str(Permission.LLM)})
_AUDIO = frozenset({"audio"})


@dataclass(frozen=True, slots=True)
class FileCaller:
    """An admitted key. `purposes` are those of the files that it may create and see, None for all."""

    owner: FileOwner
    max_bytes: int
    purposes: Collection[str] | None = None

    def check(self, purpose: str) -> None:
        """Raises ApiError 403 unless the key may create a file for `purpose`."""
        if self.purposes is not None and purpose not in self.purposes:
            raise _denied(Permission.LLM)

    def chosen(self, purpose: str | None) -> Collection[str] | None:
        """The purposes of a list, which may be those of one alone."""
        if purpose is None:
            return self.purposes
        return {purpose} if self.purposes is None or purpose in self.purposes else ()


async def file_caller(request: Request) -> FileCaller:
    """The request's key, admitted. Raises ApiError 401, 402, 403, 429, 503."""
    payer = await authenticate_payer(request)
    permissions = payer.key.key.permissions if payer.key else frozenset[str]()
    owner, max_bytes = FileOwner(payer.tenant, payer.is_sandboxed), limits(payer.plan).storage_bytes
    if _ALL & permissions:
        return FileCaller(owner, max_bytes)
    if str(Permission.STT) in permissions:
        return FileCaller(owner, max_bytes, _AUDIO)
    raise _denied(Permission.LLM)


def _denied(permission: Permission) -> ApiError:
    return ApiError(403, "permission_denied", f"This API key lacks the permission '{permission}'.")
