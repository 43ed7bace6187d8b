"""Callbacks of WhatsApp: the handshake, the signature, whose they are, and that each is stored once."""

import asyncio
import json

import pytest

from callmissed.clock import SECOND
from functions.webhooks.callbacks.whatsapp.verification import MAX_UPDATES
from tests.support.webhooks.callbacks import (
    WHATSAPP,
    CallbacksApi,
    body_of,
    by_meta,
    change,
    message,
    status,
    whatsapp_credentials,
)

OTHER_SECRET = "f" * 32


async def shake(callbacks_api: CallbacksApi, token: str, mode: str = "subscribe") -> tuple[int, str]:
    query = [("hub.mode", mode), ("hub.verify_token", token), ("hub.challenge", "1158201444")]
    answer = await callbacks_api.call("GET", WHATSAPP, query=query)
    return answer.status, answer.text


async def test_the_handshake_echoes_the_challenge_to_who_knows_a_token(callbacks_api: CallbacksApi) -> None:
    await callbacks_api.save(whatsapp_credentials(verify_token="a b&c=ü"))

    assert await shake(callbacks_api, "a b&c=ü") == (200, "1158201444")
    assert (await shake(callbacks_api, "another"))[0] == 403
    assert (await shake(callbacks_api, "a b&c=ü", mode="unsubscribe"))[0] == 403


async def test_the_challenge_is_echoed_as_plain_text(callbacks_api: CallbacksApi) -> None:
    await callbacks_api.save(whatsapp_credentials())
    query = [("hub.mode", "subscribe"), ("hub.verify_token", "blue-kettle"), ("hub.challenge", "<script>")]

    answer = await callbacks_api.call("GET", WHATSAPP, query=query)

    assert (answer.text, answer.headers["content-type"]) == ("<script>", "text/plain; charset=utf-8")
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_token_that_two_tenants_chose_lasts_as_long_as_one_has_it(callbacks_api: CallbacksApi) -> None:
    first = await callbacks_api.save(whatsapp_credentials("1"))
    second = await callbacks_api.save(whatsapp_credentials("2"))

    await callbacks_api.save(whatsapp_credentials("1", verify_token="new"), first)
    assert (await shake(callbacks_api, "blue-kettle"))[0] == 200
    await callbacks_api.save(whatsapp_credentials("2", verify_token="newer"), second)
    assert (await shake(callbacks_api, "blue-kettle"))[0] == 403


@pytest.mark.parametrize("binary", [True, False], ids=["base64", "text"])
async def test_a_message_is_stored_for_its_tenant(callbacks_api: CallbacksApi, binary: bool) -> None:
    tenant = await callbacks_api.save(whatsapp_credentials())
    body = body_of(change(messages=[message("wamid.1", "Grüße 🫖")]))

    answer = await callbacks_api.post(WHATSAPP, body, by_meta(body), binary=binary)

    assert (answer.status, answer.text) == (200, "")
    (item,) = await callbacks_api.outbox()
    assert (item["tenant"], item["type"], item["source"]) == (tenant, "callback.whatsapp", "callmissed.callbacks")
    stored = json.loads(item["body"])
    assert stored["headers"] == {"content-type": "application/json"}
    assert stored["received"] == "2026-11-25T09:46:40.000Z"
    assert json.loads(stored["text"]) == json.loads(body)


@pytest.mark.parametrize(
    "header",
    ["", "sha256=", "sha256=" + "0" * 64, "sha1=" + "0" * 40, "sha256=é"],
)
async def test_a_wrong_signature_is_refused_without_detail(callbacks_api: CallbacksApi, header: str) -> None:
    await callbacks_api.save(whatsapp_credentials())
    body = body_of(change(messages=[message("wamid.1")]))

    answer = await callbacks_api.post(WHATSAPP, body, {"X-Hub-Signature-256": header})

    assert (answer.status, answer.code) == (401, "invalid_signature")
    error = json.loads(answer.text)["error"]
    assert error["message"] == "The signature is missing or wrong."
    assert error["type"] == "authentication_error"
    assert await callbacks_api.outbox() == []


async def test_a_signature_fits_no_other_body_and_no_other_spelling_of_it(callbacks_api: CallbacksApi) -> None:
    await callbacks_api.save(whatsapp_credentials())
    body = body_of(change(messages=[message("wamid.1")]))
    headers = by_meta(body)

    for other in (body + b" ", json.dumps(json.loads(body), indent=1).encode(), body.replace(b"order", b"money")):
        assert (await callbacks_api.post(WHATSAPP, other, headers)).status == 401
    assert await callbacks_api.outbox() == []


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"\xff", b"[" * 100_000, b'{"object":"x","entry":[]}', body_of(change("nobody's"))]
)
async def test_a_body_that_is_nobodys_is_refused(callbacks_api: CallbacksApi, body: bytes) -> None:
    await callbacks_api.save(whatsapp_credentials())

    answer = await callbacks_api.post(WHATSAPP, body, by_meta(body))

    assert (answer.status, answer.code) == (401, "invalid_signature")


async def test_a_callback_about_too_many_numbers_is_refused(callbacks_api: CallbacksApi) -> None:
    await callbacks_api.save(whatsapp_credentials())
    body = body_of(*[change(str(number), messages=[message("wamid.1")]) for number in range(2000, 3001)])

    assert (await callbacks_api.post(WHATSAPP, body, by_meta(body))).status == 401


async def test_without_an_app_secret_nothing_passes_unless_that_is_meant(callbacks_api: CallbacksApi) -> None:
    await callbacks_api.save(whatsapp_credentials("1", app_secret=""))
    open_to_all = await callbacks_api.save(whatsapp_credentials("2", app_secret="", allow_unsigned=True))
    refused, taken = (body_of(change(number, messages=[message("wamid.1")])) for number in "12")

    assert (await callbacks_api.post(WHATSAPP, refused, by_meta(refused, ""))).status == 401
    assert (await callbacks_api.post(WHATSAPP, taken, {})).status == 200
    assert [item["tenant"] for item in await callbacks_api.outbox()] == [open_to_all]


async def test_with_an_app_secret_a_signature_is_needed_whatever_else_is_saved(callbacks_api: CallbacksApi) -> None:
    await callbacks_api.save(whatsapp_credentials(allow_unsigned=True))
    body = body_of(change(messages=[message("wamid.1")]))

    assert (await callbacks_api.post(WHATSAPP, body, {})).status == 401


async def test_a_first_secret_ends_unsigned_callbacks_at_once(callbacks_api: CallbacksApi) -> None:
    tenant = await callbacks_api.save(whatsapp_credentials(app_secret="", allow_unsigned=True))
    bodies = [body_of(change(messages=[message(f"wamid.{number}")])) for number in range(2)]
    assert (await callbacks_api.post(WHATSAPP, bodies[0], {})).status == 200

    await callbacks_api.save(whatsapp_credentials(), tenant)

    assert (await callbacks_api.post(WHATSAPP, bodies[1], {})).status == 401


async def test_metas_retry_adds_nothing_however_it_is_grouped(callbacks_api: CallbacksApi) -> None:
    await callbacks_api.save(whatsapp_credentials())
    first = body_of(change(messages=[message("wamid.1"), message("wamid.2")], statuses=[status("wamid.9")]))
    regrouped = body_of(
        change(messages=[message("wamid.2")]),
        change(statuses=[status("wamid.9"), status("wamid.9", "read")]),
        change(messages=[message("wamid.3"), message("wamid.1")]),
    )

    for body in (first, first, regrouped):
        assert (await callbacks_api.post(WHATSAPP, body, by_meta(body))).status == 200

    texts = "".join(await callbacks_api.texts())
    assert len(await callbacks_api.outbox()) == 5
    assert [texts.count(f"wamid.{number}") for number in (1, 2, 3, 9)] == [1, 1, 1, 2]


async def test_the_first_of_two_bodies_about_one_message_counts(callbacks_api: CallbacksApi) -> None:
    await callbacks_api.save(whatsapp_credentials())
    for text in ("first", "second"):
        body = body_of(change(messages=[message("wamid.1", text)]))
        assert (await callbacks_api.post(WHATSAPP, body, by_meta(body))).status == 200

    (text,) = await callbacks_api.texts()
    assert "first" in text


async def test_two_at_once_make_one_item(callbacks_api: CallbacksApi) -> None:
    await callbacks_api.save(whatsapp_credentials())
    body = body_of(change(messages=[message("wamid.1")]))

    answers = await asyncio.gather(*(callbacks_api.post(WHATSAPP, body, by_meta(body)) for _ in range(20)))

    assert {answer.status for answer in answers} == {200}
    assert len(await callbacks_api.outbox()) == 1


async def test_numbers_of_several_tenants_behind_one_app_get_what_is_theirs(callbacks_api: CallbacksApi) -> None:
    tenants = {number: await callbacks_api.save(whatsapp_credentials(number)) for number in ("1", "2")}
    body = body_of(*[change(number, messages=[message("wamid.7", f"for {number}")]) for number in tenants])

    assert (await callbacks_api.post(WHATSAPP, body, by_meta(body))).status == 200

    stored = {item["tenant"]: item["body"] for item in await callbacks_api.outbox()}
    assert set(stored) == set(tenants.values())
    for number, tenant in tenants.items():
        assert f"for {number}" in stored[tenant]
        assert stored[tenant].count("for ") == 1


async def test_nobody_can_speak_for_a_number_whose_secret_he_lacks(callbacks_api: CallbacksApi) -> None:
    await callbacks_api.save(whatsapp_credentials("victim"))
    attacker = await callbacks_api.save(whatsapp_credentials("mine", app_secret=OTHER_SECRET))
    body = body_of(*[change(number, messages=[message("wamid.1")]) for number in ("mine", "victim")])

    assert (await callbacks_api.post(WHATSAPP, body, by_meta(body, OTHER_SECRET))).status == 200

    assert [item["tenant"] for item in await callbacks_api.outbox()] == [attacker]


async def test_a_new_secret_counts_at_once_and_an_old_one_no_longer_than_half_a_minute(
    callbacks_api: CallbacksApi,
) -> None:
    tenant = await callbacks_api.save(whatsapp_credentials())
    bodies = [body_of(change(messages=[message(f"wamid.{number}")])) for number in range(3)]
    assert (await callbacks_api.post(WHATSAPP, bodies[0], by_meta(bodies[0]))).status == 200

    await callbacks_api.save(whatsapp_credentials(app_secret=OTHER_SECRET), tenant)

    assert (await callbacks_api.post(WHATSAPP, bodies[1], by_meta(bodies[1], OTHER_SECRET))).status == 200
    callbacks_api.now += 31 * SECOND
    assert (await callbacks_api.post(WHATSAPP, bodies[2], by_meta(bodies[2]))).status == 401


async def test_a_large_callback_is_taken_apart_and_a_large_message_refused(callbacks_api: CallbacksApi) -> None:
    await callbacks_api.save(whatsapp_credentials())
    many = body_of(change(messages=[message(f"wamid.{number}", "x" * 4000) for number in range(100)]))
    assert len(many) > 400_000

    assert (await callbacks_api.post(WHATSAPP, many, by_meta(many))).status == 200
    assert len(await callbacks_api.outbox()) == 100
    for body in (body_of(change(messages=[message("wamid.big", "x" * 210_000)])), b"x" * (3 * 1024 * 1024 + 1)):
        answer = await callbacks_api.post(WHATSAPP, body, by_meta(body))
        assert (answer.status, answer.code) == (413, "file_too_large")


async def test_a_message_that_is_too_large_does_not_stop_its_neighbours(callbacks_api: CallbacksApi) -> None:
    await callbacks_api.save(whatsapp_credentials())
    body = body_of(change(messages=[message("wamid.big", "x" * 210_000), message("wamid.small")]))

    assert (await callbacks_api.post(WHATSAPP, body, by_meta(body))).status == 413

    (text,) = await callbacks_api.texts()
    assert "wamid.small" in text


async def test_statuses_of_people_without_a_phone_number_are_not_one(callbacks_api: CallbacksApi) -> None:
    await callbacks_api.save(whatsapp_credentials())
    statuses = [status("wamid.1", recipient_user_id=user) for user in ("IN.1", "IN.2")]
    for one in statuses:
        del one["recipient_id"]
    members = [status("wamid.2", recipient_type="group", recipient_participant_id=id) for id in ("91", "92")]
    body = body_of(change(statuses=[*statuses, *members]))

    for _ in range(2):
        assert (await callbacks_api.post(WHATSAPP, body, by_meta(body))).status == 200

    assert len(await callbacks_api.outbox()) == 4


@pytest.mark.parametrize("number", ["9" * 5_000, "1e999", "-1e999"])
async def test_a_number_that_python_can_not_hold_is_stored(callbacks_api: CallbacksApi, number: str) -> None:
    await callbacks_api.save(whatsapp_credentials())
    body = body_of(change(messages=[message("wamid.1")])).replace(b'"1795599990"', number.encode())

    assert (await callbacks_api.post(WHATSAPP, body, by_meta(body))).status == 200

    (text,) = await callbacks_api.texts()
    assert number in text


async def test_a_change_without_messages_is_stored_whole(callbacks_api: CallbacksApi) -> None:
    await callbacks_api.save(whatsapp_credentials())
    body = body_of(change(name_update=[{"phase": 1}]), change(errors=[{"code": 131}]))

    for _ in range(2):
        assert (await callbacks_api.post(WHATSAPP, body, by_meta(body))).status == 200

    assert len(await callbacks_api.outbox()) == 2
    assert sum('"phase":1' in text for text in await callbacks_api.texts()) == 1


@pytest.mark.parametrize("beside", [True, False])
async def test_fields_that_nothing_processes_are_counted_and_stored_nowhere(
    callbacks_api: CallbacksApi, beside: bool, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    await callbacks_api.save(whatsapp_credentials())
    caplog.set_level("INFO")
    preference = {"wa_id": "919876543210", "category": "marketing_messages", "value": "stop"}
    changes = [
        change(field="calls", calls=[{"id": "wacid.1", "event": "connect"}]),
        change(field="user_preferences", user_preferences=[preference]),
        change(field="history", history=["9" * 300_000]),
        {"field": "account_update", "value": {"event": "ACCOUNT_DELETED"}},
        change(field="SECRET", messages=[message("wamid.1")]),
        *([change(messages=[message("wamid.2")])] if beside else []),
    ]
    body = body_of(*changes)

    for _ in range(2):
        assert (await callbacks_api.post(WHATSAPP, body, by_meta(body))).status == 200

    assert len(await callbacks_api.texts()) == (1 if beside else 0)
    assert capsys.readouterr().out.count('"CallbackPassedOver":[5.0]') == 2
    lines = [vars(record) for record in caplog.records if "passed over" in record.getMessage()]
    assert [line["fields"] for line in lines] == 2 * [
        {"calls": 1, "user_preferences": 1, "history": 1, "account_update": 1, "other": 1}
    ]


async def test_fields_that_nothing_processes_need_a_signature_too(
    callbacks_api: CallbacksApi, capsys: pytest.CaptureFixture[str]
) -> None:
    await callbacks_api.save(whatsapp_credentials())
    body = body_of(change(field="calls", calls=[{"id": "wacid.1"}]))

    assert (await callbacks_api.post(WHATSAPP, body, by_meta(body, "another secret"))).status == 401
    assert "CallbackPassedOver" not in capsys.readouterr().out


async def test_echoes_are_stored_one_by_one_with_their_own_contact(callbacks_api: CallbacksApi) -> None:
    await callbacks_api.save(whatsapp_credentials())
    echoes = [{"from": "15550100", "to": f"+91987654321{n}", "id": "wamid.1" if n else "wamid.0"} for n in (0, 1, 1)]
    contacts = [{"wa_id": f"91987654321{n}", "profile": {"name": f"User {n}"}} for n in (0, 1)]
    body = body_of(
        change(field="smb_message_echoes", message_echoes=echoes, contacts=contacts),
        change(messages=[message("wamid.1")]),
    )

    assert (await callbacks_api.post(WHATSAPP, body, by_meta(body))).status == 200

    texts = [json.loads(text) for text in await callbacks_api.texts()]
    changes = [text["entry"][0]["changes"][0] for text in texts]
    echoed = sorted(
        (each["value"]["message_echoes"][0]["id"], each["value"]["contacts"][0]["profile"]["name"])
        for each in changes
        if each["field"] == "smb_message_echoes"
    )
    assert echoed == [("wamid.0", "User 0"), ("wamid.1", "User 1")]
    assert len(changes) == 3


async def test_messages_without_an_id_are_known_by_what_they_say(callbacks_api: CallbacksApi) -> None:
    await callbacks_api.save(whatsapp_credentials())
    body = body_of(change(messages=[message("", "one"), message("", "two")]))

    assert (await callbacks_api.post(WHATSAPP, body, by_meta(body))).status == 200
    assert len(await callbacks_api.outbox()) == 2


async def test_what_messages_share_does_not_multiply_without_bound(callbacks_api: CallbacksApi) -> None:
    await callbacks_api.save(whatsapp_credentials())
    shared = ["9" * 150_000]
    body = body_of(change(errors=shared, messages=[message(f"wamid.{number}") for number in range(200)]))

    answer = await callbacks_api.post(WHATSAPP, body, by_meta(body))

    assert (answer.status, answer.code) == (413, "file_too_large")
    assert await callbacks_api.outbox() == []


async def test_a_callback_with_more_updates_than_meta_sends_is_refused(callbacks_api: CallbacksApi) -> None:
    await callbacks_api.save(whatsapp_credentials())
    body = body_of(change(messages=[{}] * (MAX_UPDATES + 1)))

    assert (await callbacks_api.post(WHATSAPP, body, by_meta(body))).status == 413
