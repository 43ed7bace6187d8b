"""The providers file of the stage, where its functions read it as they start."""

import asyncio
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from callmissed.catalog.model import CatalogError
from callmissed.errors import service_unavailable
from callmissed.observability import failure_name, get_logger
from callmissed.settings import CoreSettings
from functions.billing.prices.errors import invalid_document, not_importable

MAX_PARAMETER_BYTES = 8_192
"""Size of an advanced parameter: https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"""

_PARAMETER, _OBJECT = "ssm:", "s3://"
_NESTED = re.compile(r"\{\{.*?\}\}", re.DOTALL)
"""What Systems Manager refuses in a value, as it would be a reference to another parameter."""

_logger = get_logger("prices")
T = TypeVar("T")


def normal(text: str) -> str:
    """The stored form of a document: lines end as TOML reads them, and there is one line end at its end."""
    return text.replace("\r\n", "\n").strip() + "\n"


def fingerprint(text: str) -> str:
    """A fingerprint of the document `text`, however its lines end."""
    return hashlib.sha256(normal(text).encode()).hexdigest()[:32]


class ProvidersDocument:
    """The document at `providers_file`: a parameter, an object in a bucket of the operator's, a local file, or none."""

    def __init__(self, settings: CoreSettings) -> None:
        self._settings = settings
        self._source = settings.providers_file

    async def read(self) -> str:
        """The document in force; empty where the stage names none. Raises ApiError 503."""
        return await _to_thread(self._read) if self._source else ""

    async def write(self, text: str) -> None:
        """Put `text` in its place. Raises ApiError 503; it may be written then."""
        await _to_thread(lambda: self._put(text) if self._source.startswith(_PARAMETER) else self._replace(text))

    def check_place(self) -> None:
        """Raise ApiError 409 where the document can't be imported, as functions may only read it, or there is none."""
        if not self._source:
            raise not_importable("This stage names no providers file. Set CALLMISSED_PROVIDERS_FILE.")
        if self._source.startswith(_OBJECT):
            raise not_importable("The providers file of this stage is an object in a bucket: replace it there.")

    def check_size(self, text: str) -> None:
        """Raise ApiError 422 where the place can't hold `text`."""
        if not self._source.startswith(_PARAMETER):
            return
        if (size := len(text.encode())) > MAX_PARAMETER_BYTES:
            raise invalid_document(f"has {size} bytes; a parameter holds {MAX_PARAMETER_BYTES}: use providers_object")
        if _NESTED.search(text):
            raise invalid_document("has {{ and }}, which a parameter can't hold: write { {")

    def _read(self) -> str:
        from callmissed.catalog.loader import read_operator_file  # few calls of the slice need it

        return read_operator_file(self._source)

    def _put(self, text: str) -> None:
        from callmissed.aws.clients import client

        name = self._source.removeprefix(_PARAMETER)
        client("ssm", self._settings).put_parameter(Name=name, Value=text, Overwrite=True, Tier="Intelligent-Tiering")

    def _replace(self, text: str) -> None:
        place = Path(self._source).resolve()
        written = place.with_name(f".{place.name}.new")
        written.write_text(text, encoding="utf-8")
        written.replace(place)


async def _to_thread(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except Exception as error:  # botocore's errors have no other common base, and naming it would import botocore
        cause = error.__cause__ if isinstance(error, CatalogError) and error.__cause__ else error
        _logger.warning("the providers file can't be reached", extra={"error": failure_name(cause)})
        raise service_unavailable() from error
