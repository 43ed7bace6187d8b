"""Imports that meet, and imports that die: one change for each preview, and none that is lost silently."""

import asyncio
from collections.abc import Callable

import pytest

from callmissed.audit.events import Actor, ActorKind
from callmissed.aws.dynamodb import Unavailable
from callmissed.errors import ApiError
from functions.billing.prices.document import ProvidersDocument
from functions.billing.prices.records import IMPORT_LIFETIME
from tests.support.billing.price_importer import DEARER, LAB, PriceImporter
from tests.support.faults import Crash, Fault

OPERATOR = Actor(ActorKind.OPERATOR, "arn:aws:iam::000000000000:user/operator", reason="new prices")
OTHER = LAB.replace("input = 10", "input = 11")
BEGUN = LAB.strip() + "\n"


async def import_with(importer: PriceImporter, text: str, version: str, *faults: Fault | None) -> str:
    """How an import ends whose requests to DynamoDB (a read, then a transaction) meet `faults`."""
    importer.dynamodb.faults.extend(faults)
    prices = importer.product.billing.prices
    try:
        await prices.import_document(text, version, OPERATOR, importer.clock())
    except (Crash, Unavailable, ApiError) as error:
        return type(error).__name__
    finally:
        importer.dynamodb.faults.clear()
    return "imported"


async def version_of(importer: PriceImporter, text: str) -> str:
    return (await importer.preview(text))["version"]


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("arrives_late", [False, True], ids=["never", "late"])
async def test_repeat_finishes_an_import_that_failed(importer: PriceImporter, fault: Fault, arrives_late: bool) -> None:
    version = await version_of(importer, LAB)

    first = await import_with(importer, LAB, version, None, fault)
    while arrives_late and importer.dynamodb.late:
        await importer.dynamodb.deliver_late(0)
    assert importer.file.read_text() == (BEGUN if first == "imported" else "# nothing yet\n")

    status, answer = await importer.import_(LAB, version)

    assert (status, answer["imported"]) == (200, first != "imported"), (first, answer)
    assert importer.file.read_text() == BEGUN
    assert len(await importer.events()) == 1


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Lets the process die once around the write of the file, which is `written` then or not."""
    write = ProvidersDocument.write

    def let_die(written: bool) -> None:
        async def die(document: ProvidersDocument, text: str) -> None:
            monkeypatch.setattr(ProvidersDocument, "write", write)
            if written:
                await write(document, text)
            raise Crash

        monkeypatch.setattr(ProvidersDocument, "write", die)

    return let_die


async def test_death_before_the_file_is_written_is_finished_by_a_repeat(
    importer: PriceImporter, dying: Callable[[bool], None]
) -> None:
    version, other = await version_of(importer, LAB), await version_of(importer, OTHER)
    dying(False)
    assert await import_with(importer, LAB, version) == "Crash"

    refused, error = await importer.import_(OTHER, other)
    assert (refused, error["error"]["code"]) == (409, "conflict")
    assert importer.file.read_text() == "# nothing yet\n"
    assert (await importer.import_(LAB, version))[1]["imported"] is True

    assert importer.file.read_text() == BEGUN
    assert len(await importer.events()) == 1


async def test_death_after_the_file_is_written_leaves_nothing_to_do(
    importer: PriceImporter, dying: Callable[[bool], None]
) -> None:
    version = await version_of(importer, LAB)
    dying(True)
    assert await import_with(importer, LAB, version) == "Crash"

    assert (await importer.import_(LAB, version))[1]["imported"] is False
    assert (await importer.imported(DEARER))["imported"] is True
    assert len(await importer.events()) == 2


async def test_import_that_died_is_over_after_its_lifetime(
    importer: PriceImporter, dying: Callable[[bool], None]
) -> None:
    version, other = await version_of(importer, LAB), await version_of(importer, OTHER)
    dying(False)
    assert await import_with(importer, LAB, version) == "Crash"
    importer.clock.pass_seconds(IMPORT_LIFETIME / 1_000_000)

    assert (await importer.import_(OTHER, other))[0] == 200
    assert (await importer.import_(LAB, version))[0] == 409

    assert importer.file.read_text() == OTHER.strip() + "\n"
    assert [event["resource_id"] for event in await importer.events()] == [version, other]


async def test_of_imports_that_meet_one_wins(importer: PriceImporter) -> None:
    texts = [LAB, OTHER, DEARER]
    versions = [await version_of(importer, text) for text in texts]

    answers = await asyncio.gather(*map(importer.import_, texts, versions))

    assert sorted(status for status, _ in answers) == [200, 409, 409]
    [won] = [text for text, (status, _) in zip(texts, answers, strict=True) if status == 200]
    assert importer.file.read_text() == won.strip() + "\n"
    assert len(await importer.events()) == 1


@pytest.mark.parametrize("earlier", [None, DEARER], ids=["first", "later"])
async def test_import_between_the_reads_and_the_claim_of_another_wins(
    importer: PriceImporter, earlier: str | None
) -> None:
    if earlier:
        await importer.imported(earlier)
    version, other = await version_of(importer, LAB), await version_of(importer, OTHER)
    importer.dynamodb.before("TransactWriteItems", lambda: importer.import_(OTHER, other))

    assert await import_with(importer, LAB, version) == "ApiError"

    assert importer.dynamodb.pending == 0
    assert importer.file.read_text() == OTHER.strip() + "\n"
    assert len(await importer.events()) == (2 if earlier else 1)


async def test_imports_follow_each_other_at_once(importer: PriceImporter) -> None:
    for text in (LAB, DEARER, LAB, OTHER):
        assert (await importer.imported(text))["imported"] is True

    assert len(await importer.events()) == 4
