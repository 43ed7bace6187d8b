"""The routes of prices, called by operators: previews, imports, refusals, repeats."""

import json
from typing import Any

from tests.support.billing.price_importer import DEARER, LAB, PATH, PriceImporter
from tests.support.people import new_tenant


async def test_preview_shows_what_a_file_adds(importer: PriceImporter) -> None:
    preview = await importer.preview(LAB)

    assert [preview[name] for name in ("added", "removed", "changed")] == [1, 0, 0]
    assert preview["new"]["models"] == preview["old"]["models"] + 1
    assert preview["providers"] == [{"provider": "lab", "change": "added"}]
    assert preview["models"] == [
        {
            "model": "lab-chat",
            "change": "added",
            "prices": [
                {"name": "input", "unit": "million_tokens", "old": None, "new": "10", "percent": None},
                {"name": "output", "unit": "million_tokens", "old": None, "new": "20.5", "percent": None},
            ],
            "fields": [],
        }
    ]
    assert preview["warnings"] == []
    assert importer.file.read_text() == "# nothing yet\n"


async def test_import_puts_the_file_in_force_once(importer: PriceImporter) -> None:
    preview = await importer.preview(LAB)

    first, again = [await importer.import_(LAB, preview["version"]) for _ in range(2)]

    assert (first[0], first[1]["imported"], first[1]["models_changed"]) == (200, True, 1)
    assert "revision" in first[1]["takes_effect"]
    assert (again[0], again[1]["imported"], again[1]["version"]) == (200, False, preview["version"])
    assert importer.file.read_text() == LAB.strip() + "\n"
    [event] = await importer.events()
    assert (event["resource_id"], event["actor_kind"]) == (preview["version"], "operator")
    assert event["metadata"]["reason"] == "new prices"
    assert event["metadata"]["models"] == [preview["old"]["models"], preview["new"]["models"]]
    assert "lab" not in json.dumps(event["metadata"])


async def test_changed_prices_have_percent_and_a_warning(importer: PriceImporter) -> None:
    await importer.imported(LAB)

    preview = await importer.preview(DEARER)

    [model] = preview["models"]
    assert [(price["old"], price["new"], price["percent"]) for price in model["prices"]] == [
        ("10", "12", 20.0),
        ("20.5", "41.5", 102.4),
    ]
    assert [(each["code"], each["name"]) for each in preview["warnings"]] == [("large_change", "lab-chat")]


async def test_stale_preview_is_refused(importer: PriceImporter) -> None:
    preview = await importer.preview(LAB)
    importer.file.write_text(DEARER)

    status, answer = await importer.import_(LAB, preview["version"])

    assert (status, answer["error"]["code"]) == (409, "conflict")
    assert importer.file.read_text() == DEARER
    assert await importer.events() == []


async def test_preview_of_another_file_is_refused(importer: PriceImporter) -> None:
    await importer.imported(DEARER)
    preview = await importer.preview(LAB)

    status, answer = await importer.import_(DEARER, preview["version"])

    assert (status, answer["error"]["message"].partition(".")[0]) == (409, "The preview was of another document")


async def test_line_ends_make_no_other_file(importer: PriceImporter) -> None:
    await importer.imported(LAB)

    assert (await importer.imported(LAB.replace("\n", "\r\n") + "\n"))["imported"] is False


async def test_only_operators_may_call(importer: PriceImporter) -> None:
    owner = await new_tenant(importer.product)
    body = {"providers": LAB, "version": "0" * 32 + "-" + "1" * 32, "reason": "mine"}

    for name in ("preview", "import"):
        assert (await owner.call("POST", f"{PATH}/{name}", body)).status in (403, 404)
        key = {"Authorization": "Bearer cm_live_key"}
        assert (await owner.call("POST", f"{PATH}/{name}", body, key)).status in (403, 404)
    assert importer.file.read_text() == "# nothing yet\n"


WRONG: list[tuple[str, str]] = [
    ("[providers", "not TOML"),
    ("a = " + "[" * 50_000, "not TOML"),
    (f"a = {'9' * 5_000}", "not TOML"),
    (f"[[models]]\nid{'.a' * 5_000} = 1\n", "models row 1 (no text as id): id: "),
    ("prices = 1", "prices: Extra inputs are not permitted"),
    (LAB + "margin = 2", "models row 1 (lab-chat): margin: Extra inputs are not permitted"),
    (LAB.replace("input = 10", "input = -1"), "models row 1 (lab-chat): input: "),
    (LAB.replace("input = 10", "input = nan"), "models row 1 (lab-chat): input: "),
    (LAB.replace("input = 10", "input = inf"), "models row 1 (lab-chat): input: "),
    (LAB.replace("input = 10", "input = 1e400"), "models row 1 (lab-chat): input: "),
    (LAB.replace("input = 10", "input = 1e-400"), "models row 1 (lab-chat): input: credits have at most six decimals"),
    (LAB.replace("input = 10", "input = 0.1234567"), "models row 1 (lab-chat): input: credits have at most six"),
    (LAB.replace("input = 10", "input = true"), "models row 1 (lab-chat): input: must be a number"),
    (LAB.replace("input = 10", 'input = "10"'), "models row 1 (lab-chat): input: must be a number"),
    (LAB.replace("input = 10\n", ""), "models row 1 (lab-chat): input: Field required"),
]


async def test_wrong_file_is_named_by_row_and_field(importer: PriceImporter) -> None:
    for text, problem in WRONG:
        found = await importer.refused(text)
        assert found[0].startswith(problem), (text[-300:], found)
    assert importer.file.read_text() == "# nothing yet\n"


async def test_all_problems_are_named_at_once(importer: PriceImporter) -> None:
    other = LAB[LAB.index("[[models]]") :].replace("lab-chat", "lab-other").replace("20.5", "-1")
    wrong = LAB.replace("input = 10", "input = nan").replace("128000", "0") + other

    problems = await importer.refused(wrong)

    assert [problem.rpartition(": ")[0] for problem in problems] == [
        "models row 1 (lab-chat): input",
        "models row 1 (lab-chat): context_window",
        "models row 2 (lab-other): output",
    ]


WRONG_BODIES: list[dict[str, Any]] = [
    {},
    {"providers": ""},
    {"providers": None},
    {"providers": 1},
    {"providers": "x" * 1_000_001},
    {"providers": "\ud800"},
    {"providers": LAB, "more": 1},
]


async def test_wrong_body_is_refused(importer: PriceImporter) -> None:
    for body in WRONG_BODIES:
        status, answer = await importer.call("preview", **body)
        assert (status, answer["error"]["code"]) == (422, "invalid_request_error"), str(body)[:80]


async def test_import_needs_a_reason_and_a_version(importer: PriceImporter) -> None:
    for body in ({"version": "0-1", "reason": "x"}, {"version": "0" * 32 + "-" + "0" * 32}):
        status, _ = await importer.call("import", providers=LAB, **body)
        assert status == 422


async def test_file_in_force_that_is_wrong_can_be_repaired(importer: PriceImporter) -> None:
    importer.file.write_text(LAB.replace("input = 10", "input = -1"))

    preview = await importer.preview(LAB)

    [warning] = preview["warnings"]
    assert warning["code"] == "unreadable"
    assert warning["message"].startswith("the file in force: models row 1 (lab-chat): input: ")
    assert (await importer.imported(LAB))["imported"] is True
