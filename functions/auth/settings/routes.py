"""/api/v1/settings: a tenant's accounts at WhatsApp, Twilio and Sarvam."""

from typing import Annotated

from fastapi import APIRouter, Request

from callmissed.integrations.credentials import SarvamCredentials, TwilioCredentials, WhatsAppCredentials
from callmissed.web.caller import PersonOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from functions.auth.dependencies import ActorOf
from functions.auth.error_responses import ERRORS
from functions.auth.settings.public_url import public_url
from functions.auth.settings.schemas import (
    SarvamSettings,
    Saved,
    TwilioSettings,
    VerificationOut,
    WhatsAppForm,
    WhatsAppSettings,
)
from functions.auth.settings.service import CredentialCheck, IntegrationSettings

router = APIRouter(prefix="/api/v1/settings", tags=["settings"], route_class=GatewayRoute)

SettingsOf = Annotated[IntegrationSettings, from_state("integration_settings")]


@router.get("/whatsapp", summary="WhatsApp settings", response_model=WhatsAppSettings, responses=ERRORS.session())
async def whatsapp(request: Request, person: PersonOf, settings: SettingsOf) -> WhatsAppSettings:
    """The tenant's WhatsApp number, secrets masked."""
    found = await settings.shown(person.tenant, WhatsAppCredentials)
    configured = bool(found["phone_number_id"] and found["access_token"])
    return WhatsAppSettings(**found, configured=configured, webhook_url=_called(request, "/api/v1/webhooks/whatsapp"))


@router.put("/whatsapp", summary="Save WhatsApp", response_model=Saved, responses=ERRORS.session(changes=True))
async def save_whatsapp(
    form: WhatsAppForm, person: PersonOf, actor: ActorOf, settings: SettingsOf, clock: ClockOf
) -> Saved:
    """Replace all of the tenant's WhatsApp credentials. 409 where the number is connected to another tenant."""
    await settings.save(person.tenant, form.credentials, actor, clock())
    return Saved(detail="WhatsApp settings saved")


@router.post(
    "/whatsapp/verify", summary="Verify WhatsApp", response_model=VerificationOut, responses=ERRORS.session(409)
)
async def verify_whatsapp(person: PersonOf, settings: SettingsOf) -> VerificationOut:
    """Ask Meta for the phone number with the stored credentials."""
    return _outcome(await settings.verify(person.tenant, WhatsAppCredentials))


@router.get("/twilio", summary="Twilio settings", response_model=TwilioSettings, responses=ERRORS.session())
async def twilio(request: Request, person: PersonOf, settings: SettingsOf) -> TwilioSettings:
    """The tenant's Twilio number, secrets masked."""
    found = await settings.shown(person.tenant, TwilioCredentials)
    configured = bool(found["account_sid"] and found["auth_token"])
    called = _called(request, "/api/v1/webhooks/twilio/voice")
    return TwilioSettings(**found, configured=configured, voice_webhook_url=called)


@router.put("/twilio", summary="Save Twilio", response_model=Saved, responses=ERRORS.session(changes=True))
async def save_twilio(
    form: TwilioCredentials, person: PersonOf, actor: ActorOf, settings: SettingsOf, clock: ClockOf
) -> Saved:
    """Replace all of the tenant's Twilio credentials. 409 where the number is connected to another tenant."""
    await settings.save(person.tenant, form, actor, clock())
    return Saved(detail="Twilio settings saved")


@router.post("/twilio/verify", summary="Verify Twilio", response_model=VerificationOut, responses=ERRORS.session(409))
async def verify_twilio(person: PersonOf, settings: SettingsOf) -> VerificationOut:
    """Fetch the account from Twilio with the stored credentials."""
    return _outcome(await settings.verify(person.tenant, TwilioCredentials))


@router.get("/sarvam", summary="Sarvam settings", response_model=SarvamSettings, responses=ERRORS.session())
async def sarvam(person: PersonOf, settings: SettingsOf) -> SarvamSettings:
    """The tenant's key of Sarvam's API, masked."""
    found = await settings.shown(person.tenant, SarvamCredentials)
    return SarvamSettings(**found, configured=bool(found["api_key"]))


@router.put("/sarvam", summary="Save Sarvam", response_model=Saved, responses=ERRORS.session(changes=True))
async def save_sarvam(
    form: SarvamCredentials, person: PersonOf, actor: ActorOf, settings: SettingsOf, clock: ClockOf
) -> Saved:
    """Replace the tenant's key of Sarvam's API."""
    await settings.save(person.tenant, form, actor, clock())
    return Saved(detail="Sarvam settings saved")


@router.post("/sarvam/verify", summary="Verify Sarvam", response_model=VerificationOut, responses=ERRORS.session(409))
async def verify_sarvam(person: PersonOf, settings: SettingsOf) -> VerificationOut:
    """Ask Sarvam with the stored key."""
    return _outcome(await settings.verify(person.tenant, SarvamCredentials))


def _called(request: Request, path: str) -> str:
    """The URL of ours that a provider is to call."""
    return public_url(request.scope, request.app.state.public_url) + path


def _outcome(verified: CredentialCheck) -> VerificationOut:
    return VerificationOut.model_validate(verified, from_attributes=True)
