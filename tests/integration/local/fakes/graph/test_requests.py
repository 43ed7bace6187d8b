"""Tokens, ids, limits and faults, as a business meets them over HTTP."""

import threading

import httpx
import pytest

from local.fakes.graph.accounts import NUMBER_ID, WABA_ID, GraphApp, GraphNumber
from local.fakes.graph.fake import FakeGraph
from local.fakes.graph.state import GraphOptions
from tests.support.graph.client import TOKEN, USER, Business
from tests.support.graph.receiver import CallbackReceiver

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture(autouse=True)
def heard(graph: FakeGraph) -> None:
    """The user has written, so the window is open."""
    graph.phone(USER).say("hi")


def error(answer: httpx.Response) -> tuple[int, int, int | None]:
    body = answer.json()["error"]
    assert body["fbtrace_id"]
    return answer.status_code, body["code"], body.get("error_subcode")


def test_wrong_token_is_190(graph: FakeGraph) -> None:
    assert error(Business(graph, "EAAwrong").send()) == (401, 190, None)
    assert error(Business(graph, "").send()) == (401, 190, None)
    assert graph.sent == []


def test_revoked_token_is_190_until_it_is_restored(graph: FakeGraph, business: Business) -> None:
    graph.revoke_token(TOKEN)
    assert error(business.send()) == (401, 190, 460)
    graph.restore_token(TOKEN)
    assert business.send().status_code == 200


def test_unknown_number_and_another_accounts_number_are_100_33(graph: FakeGraph, business: Business) -> None:
    graph.add_account(GraphApp("other", app_id="2"), "200", [GraphNumber("201")], "EAAother")
    for number_id in ("999", "201"):
        assert error(business.send(number_id=number_id)) == (400, 100, 33)
        assert error(business.get(number_id)) == (400, 100, 33)
    assert Business(graph, "EAAother").get("201").json()["id"] == "201"


def test_unknown_path_and_field_and_body_are_refused(business: Business) -> None:
    assert error(business.get("1/2/3")) == (400, 2500, None)
    assert error(business.get(NUMBER_ID, fields="id,nothing")) == (400, 100, None)
    headers = {"Content-Type": "application/json"}
    assert error(business.ask("POST", f"{NUMBER_ID}/messages", content=b"{", headers=headers)) == (400, 100, None)
    assert error(business.ask("POST", f"{NUMBER_ID}/messages", content=b"[]", headers=headers)) == (400, 100, None)


def test_every_field_of_the_number_and_the_account_is_there(business: Business) -> None:
    fields = (
        "id,display_phone_number,verified_name,code_verification_status,quality_rating,messaging_limit_tier,"
        "throughput,name_status,status,platform_type"
    )
    number = business.get(NUMBER_ID, fields=fields).json()
    assert number.keys() == set(fields.split(","))
    assert (number["status"], number["throughput"]) == ("CONNECTED", {"level": "STANDARD"})
    account = business.get(WABA_ID, fields="name,currency,account_review_status,owner_business_info").json()
    assert (account["id"], account["currency"], account["account_review_status"]) == (WABA_ID, "INR", "APPROVED")


def test_numbers_come_in_pages(graph: FakeGraph, business: Business) -> None:
    graph.account.numbers["102"] = GraphNumber("102", "+91 80000 00002")
    first = business.get(f"{WABA_ID}/phone_numbers", limit=1).json()
    assert [number["id"] for number in first["data"]] == [NUMBER_ID]
    second = business.ask("GET", first["paging"]["next"]).json()
    assert [number["id"] for number in second["data"]] == ["102"]
    assert "next" not in second["paging"]


def test_closed_window_is_131047_until_the_user_writes(graph: FakeGraph, business: Business) -> None:
    phone = graph.phone(USER)
    phone.close_window()
    assert error(business.send()) == (400, 131047, None)
    phone.say("hi again")
    assert business.send().status_code == 200


def test_template_is_checked_and_needs_no_window(graph: FakeGraph, business: Business) -> None:
    graph.add_template("order", parameters=1)
    graph.phone(USER).close_window()
    language = {"code": "en_US"}
    body = {"type": "body", "parameters": [{"type": "text", "text": "A-17"}]}
    assert business.send("template", {"name": "order", "language": language, "components": [body]}).status_code == 200
    assert error(business.send("template", {"name": "order", "language": language})) == (400, 132000, None)
    assert error(business.send("template", {"name": "none", "language": language})) == (404, 132001, None)


def test_recipient_is_a_number_or_a_known_user_id(graph: FakeGraph, business: Business) -> None:
    answer = business.send(to="+91 98000-00001").json()
    assert answer["contacts"] == [{"input": "+91 98000-00001", "wa_id": USER}]
    bsuid = graph.phone(USER).user.bsuid
    assert business.send(recipient=bsuid).json()["contacts"] == [{"input": bsuid, "user_id": bsuid}]
    assert error(business.send(recipient="IN.1")) == (400, 131026, None)
    assert error(business.send(to="12")) == (400, 100, None)
    assert error(business.send(to="")) == (400, 100, None)


def test_pair_rate_and_throughput_are_limits() -> None:
    now = [1_000_000.0]
    options = GraphOptions(clock=lambda: now[0], pair_rate=(2, 6.0), throughput=3)
    with FakeGraph(options=options).serving() as graph:
        business = Business(graph)
        for user in (USER, "919800000002"):
            graph.phone(user).say("hi")
        assert [business.send().status_code for _ in range(2)] == [200, 200]
        assert error(business.send()) == (429, 131056, None)
        assert business.send(to="919800000002").status_code == 200
        assert error(business.send(to="919800000002")) == (429, 130429, None)
        now[0] += 6
        assert business.send().status_code == 200
        assert error(business.send()) == (429, 131056, None)


def test_number_that_is_not_registered_sends_nothing(graph: FakeGraph, business: Business) -> None:
    assert business.post(f"{NUMBER_ID}/deregister").json() == {"success": True}
    assert error(business.send()) == (400, 133010, None)
    wrong = business.post(f"{NUMBER_ID}/register", messaging_product="whatsapp", pin="12")
    assert error(wrong) == (400, 100, None)
    assert business.post(f"{NUMBER_ID}/register", messaging_product="whatsapp", pin="123456").json()["success"]
    assert business.send().status_code == 200


def test_code_is_exchanged_once_for_a_token_of_its_account(graph: FakeGraph) -> None:
    anybody, app = Business(graph, ""), graph.account.app
    query = {"client_id": app.app_id, "client_secret": app.secret, "code": graph.signup_code()}
    token = anybody.get("oauth/access_token", **query).json()["access_token"]
    assert Business(graph, token).get(NUMBER_ID).status_code == 200
    assert error(anybody.get("oauth/access_token", **query)) == (400, 100, 36009)
    assert anybody.get("oauth/access_token", **(query | {"client_secret": "x"})).status_code == 400
    data = Business(graph, f"{app.app_id}|{app.secret}").get("debug_token", input_token=token).json()["data"]
    assert (data["is_valid"], data["app_id"]) == (True, app.app_id)
    assert data["granular_scopes"][0]["target_ids"] == [WABA_ID]
    graph.revoke_token(token)
    debugged = Business(graph).get("debug_token", input_token=token).json()["data"]
    assert debugged["is_valid"] is False


def test_callbacks_need_a_subscription_and_an_url_that_answers(
    graph: FakeGraph, business: Business, receiver: CallbackReceiver
) -> None:
    graph.wait_idle()
    receiver.bodies.clear()
    assert business.ask("DELETE", f"{WABA_ID}/subscribed_apps").json() == {"success": True}
    graph.phone(USER).say("not heard")
    graph.wait_idle()
    assert receiver.bodies == []
    assert business.get(f"{WABA_ID}/subscribed_apps").json() == {"data": []}
    override = {"override_callback_uri": receiver.url}
    wrong = business.post(f"{WABA_ID}/subscribed_apps", **override, verify_token="wrong")
    assert error(wrong) == (400, 2200, None)
    assert business.post(f"{WABA_ID}/subscribed_apps", **override, verify_token=receiver.verify_token).json()["success"]
    graph.phone(USER).say("heard")
    graph.wait_idle()
    assert [message["text"]["body"] for message in receiver.messages] == ["heard"]
    (app,) = business.get(f"{WABA_ID}/subscribed_apps").json()["data"]
    assert app["override_callback_uri"] == receiver.url


def test_apps_callback_url_is_verified(graph: FakeGraph, receiver: CallbackReceiver) -> None:
    app = graph.account.app
    business = Business(graph, f"{app.app_id}|{app.secret}")
    query = {"object": "whatsapp_business_account", "callback_url": receiver.url + "2", "fields": "messages"}
    path = f"{app.app_id}/subscriptions"
    assert error(business.ask("POST", path, params={**query, "verify_token": "wrong"})) == (400, 2200, None)
    done = business.ask("POST", path, params={**query, "verify_token": receiver.verify_token})
    assert done.json() == {"success": True}
    assert app.callback_url == receiver.url + "2"


def upload(business: Business, content: bytes = PNG, mime_type: str = "image/png") -> httpx.Response:
    files = {"file": ("cake.png", content, mime_type)}
    data = {"messaging_product": "whatsapp", "type": mime_type}
    return business.ask("POST", f"{NUMBER_ID}/media", files=files, data=data)


def test_media_have_an_url_that_needs_the_token(graph: FakeGraph, business: Business) -> None:
    media_id = upload(business).json()["id"]
    node = business.get(media_id, phone_number_id=NUMBER_ID).json()
    assert node["url"].startswith(graph.url)
    assert business.ask("GET", node["url"]).content == PNG
    assert error(Business(graph, "").ask("GET", node["url"])) == (401, 190, None)
    assert business.ask("GET", node["url"][:-1] + "x").status_code == 404
    assert error(business.get(media_id, phone_number_id="999")) == (400, 100, 33)
    assert business.send("image", {"id": media_id}).status_code == 200
    graph.expire_media(media_id)
    assert business.ask("GET", node["url"]).status_code == 404
    assert error(business.get(media_id)) == (400, 100, 33)
    assert error(business.send("image", {"id": media_id})) == (400, 100, None)


def test_media_url_expires() -> None:
    now = [1_000_000.0]
    with FakeGraph(options=GraphOptions(clock=lambda: now[0])).serving() as graph:
        business = Business(graph)
        url = business.get(upload(business).json()["id"]).json()["url"]
        now[0] += 300
        assert business.ask("GET", url).status_code == 200
        now[0] += 1
        assert business.ask("GET", url).status_code == 404


def test_media_of_a_wrong_type_or_size_are_refused(business: Business) -> None:
    assert error(upload(business, mime_type="image/gif")) == (400, 100, None)
    assert error(upload(business, b"")) == (400, 131053, None)
    assert error(upload(business, bytes(5 * 1024 * 1024 + 1))) == (400, 131053, None)
    assert error(business.post(f"{NUMBER_ID}/media", messaging_product="whatsapp")) == (400, 100, None)


@pytest.mark.parametrize(("kind", "taken"), [("lose_request", 0), ("lose_answer", 1), ("half_answer", 1)])
def test_connection_breaks(kind: str, taken: int, graph: FakeGraph, business: Business) -> None:
    graph.fault(kind)
    with pytest.raises(httpx.TransportError):
        business.send()
    assert len(graph.sent) == taken
    assert business.send().status_code == 200


def test_garbled_answer_is_no_json(graph: FakeGraph, business: Business) -> None:
    graph.fault("garbled_answer")
    answer = business.send()
    assert (answer.status_code, len(graph.sent)) == (200, 1)
    with pytest.raises(ValueError):
        answer.json()


@pytest.mark.parametrize("taken", [False, True])
def test_server_error_says_nothing_of_the_message(taken: bool, graph: FakeGraph, business: Business) -> None:
    graph.fault("server_error", status=502, taken=taken)
    assert business.send().status_code == 502
    assert len(graph.sent) == taken


@pytest.mark.parametrize(("code", "status"), [(130429, 429), (131056, 429), (190, 401), (131026, 400), (131000, 500)])
def test_error_comes_with_its_status(code: int, status: int, graph: FakeGraph, business: Business) -> None:
    graph.fault("error", code=code, details="As asked", to=USER)
    answer = business.send()
    assert error(answer) == (status, code, None)
    assert answer.json()["error"]["error_data"]["details"] == "As asked"
    assert graph.sent == []


def test_slow_message_is_taken_though_the_client_has_left(graph: FakeGraph, business: Business) -> None:
    graph.fault("slow", seconds=0.3)
    url = f"{graph.url}/v23.0/{NUMBER_ID}/messages"
    body = {"messaging_product": "whatsapp", "to": USER, "type": "text", "text": {"body": "Hello"}}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(url, json=body, headers=business.headers, timeout=0.05, trust_env=False)
    taken = threading.Event()
    for _ in range(200):
        if graph.sent or taken.wait(0.05):
            break
    assert [entry.text for entry in graph.sent] == ["Hello"]


def test_faults_of_reads_leave_messages_alone(graph: FakeGraph, business: Business) -> None:
    wamid = graph.phone(USER).chat[0].wamid
    graph.fault("error", code=131000, on="read")
    assert business.send().status_code == 200
    read = {"messaging_product": "whatsapp", "status": "read", "message_id": wamid}
    assert error(business.post(f"{NUMBER_ID}/messages", **read)) == (500, 131000, None)
    assert business.post(f"{NUMBER_ID}/messages", **read).json() == {"success": True}
    assert error(business.post(f"{NUMBER_ID}/messages", **(read | {"message_id": "wamid.x"}))) == (400, 100, None)
