"""Embedded Signup: a business signs up with Meta in its browser, and its code becomes a token.

https://developers.facebook.com/documentation/business-messaging/whatsapp/embedded-signup/overview
"""

from collections.abc import Callable, Mapping

from callmissed.audit.events import Actor
from callmissed.clock import Micros
from callmissed.errors import ApiError
from callmissed.idempotency.operation import Operation
from functions.bots.channels.whatsapp.accounts import MetaApp, accounts_of_token, exchange_code, has_number
from functions.bots.channels.whatsapp.graph import GraphClient, GraphError, GraphRefused
from functions.bots.whatsapp.graph_errors import onboarding_error, refused
from functions.bots.whatsapp.number_schemas import SignupCode
from functions.bots.whatsapp.onboarding import NumberOnboarding, Onboarded, ProvenNumber

APP_ID, APP_SECRET = "META_APP_ID", "META_APP_SECRET"


class EmbeddedSignup:
    """Exchanges codes of the platform's app, which `app` returns; None where the operator has set none up."""

    def __init__(self, graph: GraphClient, onboarding: NumberOnboarding, app: Callable[[], MetaApp | None]) -> None:
        self._graph = graph
        self._onboarding = onboarding
        self._app = app

    async def connect(
        self, tenant: str, signup: SignupCode, actor: Actor, now: Micros, operation: Operation
    ) -> Onboarded:
        """The number of the sign-up. Raises ApiError as `NumberOnboarding.connect`, and 409 without an app."""
        app = self._app()
        if app is None:
            raise _not_configured()
        token = await self._token(app, signup.code)
        proven = ProvenNumber(
            waba_id=signup.waba_id or await self._account(app, signup.phone_number_id, token),
            number_id=signup.phone_number_id,
            token=token,
            app_secret=app.secret,
            bot_id=str(signup.bot_id) if signup.bot_id else None,
        )
        return await self._onboarding.connect(tenant, proven, actor, now, operation)

    async def _token(self, app: MetaApp, code: str) -> str:
        try:
            return await exchange_code(self._graph, app, code)
        except GraphRefused as refusal:
            text = "Meta refuses the code: it was used before, is older than ten minutes, or is another app's"
            raise refused("code_rejected", "code", text) from refusal
        except GraphError as error:
            raise onboarding_error(error) from error

    async def _account(self, app: MetaApp, number_id: str, token: str) -> str:
        """The account among those of the token that has the number. Raises ApiError 422, 502."""
        try:
            for waba_id in await accounts_of_token(self._graph, app, token):
                if await has_number(self._graph, waba_id, number_id, token):
                    return waba_id
        except GraphError as error:
            raise onboarding_error(error) from error
        text = "The sign-up shared no account with this phone number"
        raise refused("number_not_in_account", "phone_number_id", text)


def meta_app_of(environment: Mapping[str, str]) -> MetaApp | None:
    """The platform's app at Meta; None where it is not set up."""
    app_id, secret = environment.get(APP_ID), environment.get(APP_SECRET)
    return MetaApp(app_id, secret) if app_id and secret else None


def _not_configured() -> ApiError:
    message = (
        f"Embedded Signup is not set up on this stage: its operator adds {APP_ID} and {APP_SECRET} to the secret "
        "'callback-secrets'. Manual onboarding works without."
    )
    return ApiError(409, "not_configured", message)
