"""Captchas by a server that answers as Turnstile does."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from callmissed.aws.secrets import account_environment
from local.aws.tables import StageTables
from tests.support.sign_in import SettableClock, SignInPages, new_address, settings_of
from tests.support.whole_product import WholeProduct

SOLVED = "a token of somebody who is human"


class CaptchaServer:
    """Answers `siteverify`."""

    def __init__(self) -> None:
        self.forms: list[dict[str, str]] = []
        self.answer: object = None

    async def verify(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.forms.append(form)
        is_solved = form["response"] == SOLVED
        verdict = {"success": is_solved, "error-codes": [] if is_solved else ["invalid-input-response"]}
        return web.json_response(self.answer or verdict)


@pytest_asyncio.fixture(scope="module")
async def turnstile() -> AsyncIterator[tuple[CaptchaServer, str]]:
    captcha, app = CaptchaServer(), web.Application()
    app.router.add_post("/siteverify", captcha.verify)
    async with TestServer(app) as server:
        yield captcha, str(server.make_url("/siteverify"))


@pytest_asyncio.fixture(scope="module")
async def pages(module_tables: StageTables, turnstile: tuple[CaptchaServer, str]) -> AsyncIterator[SignInPages]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TURNSTILE_SECRET_KEY", "the site's secret")
        account_environment.cache_clear()
        clock = SettableClock()
        product = WholeProduct(settings_of(module_tables, captcha="turnstile", captcha_url=turnstile[1]), clock)
        yield SignInPages(product, clock)
        await product.close()


async def test_registration_needs_a_solved_captcha(pages: SignInPages, turnstile: tuple[CaptchaServer, str]) -> None:
    email = new_address()

    refused = [await pages.registered(email), await pages.registered(email, cf_turnstile_token="wrong")]
    accepted = await pages.registered(email, cf_turnstile_token=SOLVED)

    assert [(reply.status, reply.error["code"]) for reply in refused] == [(401, "captcha_failed")] * 2
    assert (accepted.status, len([mail for mail in pages.mails if mail.to == email])) == (200, 1)
    sent = turnstile[0].forms[-1]
    assert (sent["secret"], sent["response"]) == ("the site's secret", SOLVED)
    assert sent["remoteip"].startswith("10.")


async def test_code_is_resent_for_half_an_hour_without_another_captcha(pages: SignInPages) -> None:
    email = new_address()
    form = {"email": email, "purpose": "reset"}

    statuses = [
        (await pages.post("otp/send", form)).status,
        (await pages.post("otp/send", {**form, "cf_turnstile_token": SOLVED})).status,
        (await pages.post("otp/send", form)).status,
        (await pages.post("otp/send", {**form, "purpose": "login"})).status,
        (await pages.post("otp/send", {**form, "email": new_address()})).status,
    ]
    pages.clock.pass_seconds(1801)
    statuses.append((await pages.post("otp/send", form)).status)

    assert statuses == [401, 200, 200, 401, 401, 401]


async def test_sign_in_and_reset_need_none(pages: SignInPages) -> None:
    email = new_address()
    reset = {"email": email, "code": "123456", "new_password": "another password"}
    assert (await pages.login(email)).error["code"] == "invalid_credentials"
    assert (await pages.post("reset-password", reset)).error["code"] == "invalid_code"


@pytest.mark.parametrize("answer", [{"success": False, "error-codes": ["invalid-input-secret"]}, {"other": 1}, [1]])
async def test_nobody_is_blamed_for_a_captcha_service_that_fails(
    pages: SignInPages, turnstile: tuple[CaptchaServer, str], answer: object
) -> None:
    turnstile[0].answer = answer
    try:
        reply = await pages.registered(new_address(), cf_turnstile_token=SOLVED)
    finally:
        turnstile[0].answer = None
    assert (reply.status, reply.error["code"]) == (503, "service_unavailable")
