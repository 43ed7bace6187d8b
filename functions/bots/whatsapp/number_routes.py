"""/api/v1/whatsapp: a tenant's accounts and phone numbers."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path

from callmissed.web.actor import ActorOf
from callmissed.web.caller import CallerOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from callmissed.web.idempotency import OperationOf
from functions.bots.dependencies import LiveCallerOf
from functions.bots.error_responses import error_responses
from functions.bots.whatsapp.number_schemas import (
    AccountOut,
    BotLink,
    ConnectedNumberOut,
    NumberProof,
    NumberSwitch,
    PhoneNumberOut,
    SignupCode,
)
from functions.bots.whatsapp.number_service import Numbers
from functions.bots.whatsapp.onboarding import NumberOnboarding, Onboarded, ProvenNumber
from functions.bots.whatsapp.signup import EmbeddedSignup

router = APIRouter(prefix="/api/v1/whatsapp", tags=["whatsapp"], route_class=GatewayRoute)

NumbersOf = Annotated[Numbers, from_state("numbers")]
OnboardingOf = Annotated[NumberOnboarding, from_state("onboarding")]
SignupOf = Annotated[EmbeddedSignup, from_state("signup")]
PhoneIdOf = Annotated[UUID, Path(description="Our id of a phone number.")]


@router.post(
    "/onboarding/manual",
    summary="Connect a number",
    response_model=ConnectedNumberOut,
    responses=error_responses(404, 422, 502, changes=True),
)
async def connect_number(
    onboarding: OnboardingOf,
    caller: LiveCallerOf,
    actor: ActorOf,
    clock: ClockOf,
    operation: OperationOf,
    proof: NumberProof,
) -> ConnectedNumberOut:
    """Prove a phone number with a token of Meta's, and own it from then on. A repetition renews the token.

    Meta is asked for the number and the account with the token, and sends us the account's callbacks. 409 where another
    tenant has proven the number and its token still works.
    """
    proven = ProvenNumber(
        waba_id=proof.waba_id,
        number_id=proof.phone_number_id,
        token=proof.access_token,
        app_secret=proof.app_secret,
        verify_token=proof.verify_token,
        bot_id=str(proof.bot_id) if proof.bot_id else None,
    )
    return _shown(await onboarding.connect(caller.tenant, proven, actor, clock(), operation))


@router.post(
    "/onboarding/exchange",
    summary="Connect a number by Embedded Signup",
    response_model=ConnectedNumberOut,
    responses=error_responses(404, 422, 502, changes=True),
)
async def exchange_code(
    signup: SignupOf,
    caller: LiveCallerOf,
    actor: ActorOf,
    clock: ClockOf,
    operation: OperationOf,
    code: SignupCode,
) -> ConnectedNumberOut:
    """As a manual onboarding, with the code of Meta's Embedded Signup. 503 `not_configured` without an app of ours."""
    return _shown(await signup.connect(caller.tenant, code, actor, clock(), operation))


@router.get("/accounts", summary="List accounts", response_model=list[AccountOut], responses=error_responses())
async def list_accounts(numbers: NumbersOf, caller: CallerOf) -> list[AccountOut]:
    """The tenant's WhatsApp Business accounts, oldest first."""
    return [AccountOut.of(account) for account in await numbers.accounts(caller.tenant)]


@router.get(
    "/phone_numbers", summary="List phone numbers", response_model=list[PhoneNumberOut], responses=error_responses()
)
async def list_numbers(numbers: NumbersOf, caller: CallerOf) -> list[PhoneNumberOut]:
    """The tenant's phone numbers, oldest first."""
    return [PhoneNumberOut.of(number) for number in await numbers.of_tenant(caller.tenant)]


@router.post(
    "/phone_numbers/{phone_id}/link-bot",
    summary="Link a bot",
    response_model=PhoneNumberOut,
    responses=error_responses(404, 422, changes=True),
)
async def link_bot(
    numbers: NumbersOf, caller: CallerOf, actor: ActorOf, clock: ClockOf, phone_id: PhoneIdOf, link: BotLink
) -> PhoneNumberOut:
    """The bot that answers the number from now on, or none. Open conversations get it with their next message."""
    bot_id = str(link.bot_id) if link.bot_id else None
    return PhoneNumberOut.of(await numbers.link(caller.tenant, str(phone_id), bot_id, actor, clock()))


@router.post(
    "/phone_numbers/{phone_id}/autoreply",
    summary="Switch a number's answers",
    response_model=PhoneNumberOut,
    responses=error_responses(404, 422, changes=True),
)
async def switch_autoreply(
    numbers: NumbersOf, caller: CallerOf, actor: ActorOf, clock: ClockOf, phone_id: PhoneIdOf, switch: NumberSwitch
) -> PhoneNumberOut:
    """Whether the number's bot answers. While it does not, messages are stored.

    A turn that had begun may still send its answer, within a minute. A conversation's own switch waits for it.
    """
    return PhoneNumberOut.of(await numbers.switch(caller.tenant, str(phone_id), switch.enabled, actor, clock()))


def _shown(onboarded: Onboarded) -> ConnectedNumberOut:
    return ConnectedNumberOut(
        account=AccountOut.of(onboarded.account),
        phone_number=PhoneNumberOut.of(onboarded.number),
        fully_provisioned=onboarded.missing is None,
        onboarding_error=onboarded.missing,
    )
