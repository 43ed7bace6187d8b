"""The import of prices: a preview of what a providers file changes, then its import under the preview's version.

An import is two writes: the item of `records` with the audit event, then the document. A death between them leaves the
document as it was; the same import again writes it. Raises Unavailable when DynamoDB does not answer.
"""

import asyncio
from dataclasses import dataclass

from callmissed.audit.events import PLATFORM, Actor, AuditEvent, audit_operation
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import WriteOperation, put_new_operation, put_operation
from callmissed.catalog.model import Catalog, CatalogError
from callmissed.clock import Micros
from callmissed.platform.tables import BILLING
from functions.billing.prices.comparison import CatalogComparison, Concern, PriceWarning, compare
from functions.billing.prices.document import ProvidersDocument, fingerprint, normal
from functions.billing.prices.errors import import_under_way, invalid_document, other_document, stale_version
from functions.billing.prices.records import IMPORT_KEY, BegunImport, PriceVersion, import_of, to_import_record

_IN_FORCE, _PROPOSED = "the file in force", "the file"
_MAX_PROBLEMS = 100


@dataclass(frozen=True, slots=True)
class CatalogSize:
    """How many models and providers a catalog has, built-in ones included."""

    models: int
    providers: int


@dataclass(frozen=True, slots=True)
class PricePreview:
    """What a document changes. `old` and `new` are the sizes of the catalogs."""

    version: PriceVersion
    comparison: CatalogComparison
    old: CatalogSize
    new: CatalogSize

    @property
    def is_in_force(self) -> bool:
        """Whether the document is the one in force."""
        return self.version.old == self.version.new


class Prices:
    """The prices of one stage, as its providers file states them."""

    def __init__(self, database: Database, document: ProvidersDocument) -> None:
        self._database = database
        self._document = document

    async def preview(self, text: str) -> PricePreview:
        """What the document `text` changes. Raises ApiError 422 for one that is wrong, 503."""
        self._document.check_size(text)
        return await asyncio.to_thread(_preview, await self._document.read(), text)

    async def import_document(self, text: str, version: str, actor: Actor, now: Micros) -> tuple[PricePreview, bool]:
        """Put the document `text` in force; and whether it was not yet. Raises ApiError 409, 422, 503."""
        self._document.check_place()
        earlier = import_of(await self._database.get(BILLING, IMPORT_KEY))  # before the document: see `records`
        preview = await self.preview(text)
        if not version.endswith(f"-{preview.version.new}"):
            raise other_document()
        if preview.is_in_force:
            return preview, False
        if version != str(preview.version):
            raise stale_version()
        await self._begin(earlier, preview, actor, now)
        await self._document.write(normal(text))
        return preview, True

    async def _begin(self, earlier: BegunImport | None, preview: PricePreview, actor: Actor, now: Micros) -> None:
        """Claim the document in force. Raises ApiError 409 where another import has, or may still write it."""
        begun = BegunImport(str(preview.version), now)
        operations = [_replace(earlier, begun)]
        if earlier is None or not earlier.is_alive(now) or earlier.has_made(preview.version.old):
            operations.append(_audit(preview, actor, now))
        elif earlier.version != begun.version:
            raise import_under_way()
        try:
            await self._database.transact(operations)
        except TransactionCanceled as cancelled:
            raise import_under_way() from cancelled


def _preview(in_force: str, text: str) -> PricePreview:
    from callmissed.catalog.loader import load_catalog  # few calls of the slice need it
    from callmissed.catalog.operator_file import merged

    built_in, warnings = load_catalog(), tuple[PriceWarning, ...]()
    try:
        new = merged(built_in, text, _PROPOSED)
    except CatalogError as error:
        problems = error.problems[:_MAX_PROBLEMS]
        raise invalid_document(*(problem.removeprefix(f"{_PROPOSED}: ") for problem in problems)) from error
    try:
        old = merged(built_in, in_force, _IN_FORCE)
    except CatalogError as error:
        old, warnings = built_in, (PriceWarning(Concern.UNREADABLE, "", f"{error}; compared with no file"),)
    found = compare(old, new, built_in)
    found = CatalogComparison(found.models, found.providers, (*warnings, *found.warnings))
    return PricePreview(PriceVersion(fingerprint(in_force), fingerprint(text)), found, _size(old), _size(new))


def _size(catalog: Catalog) -> CatalogSize:
    return CatalogSize(len(catalog.models), len(catalog.providers))


def _replace(earlier: BegunImport | None, begun: BegunImport) -> WriteOperation:
    item = to_import_record(begun)
    if earlier is None:
        return put_new_operation(BILLING, item)
    return put_operation(BILLING, item, expected={"token": earlier.token})


def _audit(preview: PricePreview, actor: Actor, now: Micros) -> WriteOperation:
    version = str(preview.version)
    sizes = {"models": [preview.old.models, preview.new.models]}
    sizes["providers"] = [preview.old.providers, preview.new.providers]
    changed = {"changed_models": len(preview.comparison.models)}
    event = AuditEvent(PLATFORM, "prices.import", "prices", version, actor, {**sizes, **changed})
    return audit_operation(event, now)
