"""The function `auth`: sign-up, sign-in, sessions, API keys, team, tenant, settings, the audit log, and operators."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from fastapi import FastAPI

from callmissed.aws.runtime import logs_failures, use_own_loop
from callmissed.aws.secrets import pepper_ring, sealing_ring
from callmissed.aws.start import prepare_start
from callmissed.clock import Clock, system_clock
from callmissed.http.client import SafeClient
from callmissed.integrations.repository import Integrations
from callmissed.integrations.verification import ProviderUrls, Verifier
from callmissed.keys.management import KeyManager
from callmissed.rate_limits import SlidingWindows
from callmissed.sealing import Sealer
from callmissed.web.app import create_api, state_of
from callmissed.web.idempotency import keyed_server
from callmissed.web.lambda_handler import LambdaHandler
from callmissed.web.request_context import RequestContextMiddleware
from functions.auth.admin import key_routes as admin_keys
from functions.auth.admin import people_routes as admin_people
from functions.auth.admin import routes as admin
from functions.auth.admin.service import Administration
from functions.auth.api_keys import routes as api_keys
from functions.auth.api_keys.leaks import LeakedKeys
from functions.auth.api_keys.models import ModelNames
from functions.auth.api_keys.service import ApiKeys
from functions.auth.audit import routes as audit
from functions.auth.audit.service import AuditLog
from functions.auth.composition import AuthComposition, compose
from functions.auth.factor_composition import FactorComposition
from functions.auth.passkeys import routes as passkeys
from functions.auth.passkeys.service import Passkeys
from functions.auth.passkeys.verification import PasskeyVerification
from functions.auth.sessions import routes as sessions
from functions.auth.sessions.service import Sessions
from functions.auth.settings import routes as settings_routes
from functions.auth.settings.service import IntegrationSettings
from functions.auth.sign_in import routes as sign_in
from functions.auth.sign_in.captcha import RememberedCaptcha
from functions.auth.sign_in.google import GoogleSignIn
from functions.auth.sign_in.profile import Profiles
from functions.auth.sign_in.registration import Registrations
from functions.auth.sign_in.service import SignIn
from functions.auth.sign_in_composition import SignInComposition
from functions.auth.team import routes as team
from functions.auth.team.service import Team
from functions.auth.tenant import routes as tenant
from functions.auth.tenant.service import Tenants
from functions.auth.tenant.suspension import Suspensions
from functions.auth.two_factor import routes as two_factor
from functions.auth.two_factor.recovery import FactorRecovery
from functions.auth.two_factor.service import TwoFactor
from functions.auth.two_factor.verification import CodeVerification

prepare_start("anyio._backends._asyncio")

ROUTERS = (
    sign_in.router,
    two_factor.router,
    passkeys.router,
    sessions.router,
    api_keys.router,
    settings_routes.router,
    audit.router,
    team.router,
    tenant.router,
    admin.router,
    admin_keys.router,
    admin_people.router,
)


@dataclass(frozen=True, slots=True)
class AuthServices:
    """The services of one process, which routes find by name in the application's state."""

    sign_in: SignIn
    registrations: Registrations
    google: GoogleSignIn
    captcha: RememberedCaptcha
    sessions: Sessions
    profiles: Profiles
    two_factor: TwoFactor
    code_verification: CodeVerification
    recovery: FactorRecovery
    passkeys: Passkeys
    passkey_verification: PasskeyVerification
    keys: ApiKeys
    leaked_keys: LeakedKeys
    key_manager: KeyManager
    integration_settings: IntegrationSettings
    audit_log: AuditLog
    team: Team
    tenants: Tenants
    suspensions: Suspensions
    administration: Administration
    windows: SlidingWindows
    http: SafeClient
    key_set: dict[str, Any]
    public_url: str
    clock: Clock


def create_services(composition: AuthComposition, *, clock: Clock = system_clock) -> AuthServices:
    """The services of one process, none of which opens a connection before use.

    Raises ValueError without a pepper or a sealing key.
    """
    settings, database = composition.settings, composition.database
    peppers, people = pepper_ring(settings), SignInComposition(composition)
    manager = KeyManager(database, peppers[0])
    factors = FactorComposition(people)
    return AuthServices(
        sign_in=people.sign_in,
        registrations=people.registrations,
        google=people.google,
        captcha=people.captcha,
        sessions=people.sessions,
        profiles=Profiles(database),
        two_factor=factors.two_factor,
        code_verification=factors.code_verification,
        recovery=factors.recovery,
        passkeys=factors.passkeys,
        passkey_verification=factors.passkey_verification,
        keys=ApiKeys(database, manager, ModelNames(settings)),
        leaked_keys=LeakedKeys(database, manager, peppers, people.mails),
        key_manager=manager,
        integration_settings=_integration_settings(composition, people),
        audit_log=AuditLog(database),
        team=Team(database, people.windows, people.quota, people.mails),
        tenants=Tenants(database),
        suspensions=Suspensions(database),
        administration=Administration(database),
        windows=people.windows,
        http=people.http,
        key_set=composition.tokens.key_set(),
        public_url=settings.public_url,
        clock=clock,
    )


def _integration_settings(composition: AuthComposition, people: SignInComposition) -> IntegrationSettings:
    settings = composition.settings
    urls = ProviderUrls(settings.graph_url, settings.twilio_url, settings.sarvam_url)
    return IntegrationSettings(Integrations(composition.database), people.sealer, Verifier(people.http, urls))


def create_app(services: AuthServices) -> FastAPI:
    """The application over `services`."""
    return create_api("CallMissed accounts", ROUTERS, **state_of(services))


def create_server(composition: AuthComposition, services: AuthServices) -> RequestContextMiddleware:
    """The served application, whose stored answers are sealed."""
    settings = composition.settings
    sealer = Sealer(sealing_ring(settings))
    return keyed_server(create_app(services), settings, composition.database, sealer, services.clock)


@logs_failures("auth")
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request of API Gateway."""
    return _server()(event, context)


@cache
def _server() -> LambdaHandler:
    """Created at the first invocation, on its thread and loop."""
    composition = compose()
    server = create_server(composition, create_services(composition))
    use_own_loop()
    return LambdaHandler(server)
