"""The services of sign-up and sign-in, composed of settings, tables and the queue of mails."""

from dataclasses import dataclass
from functools import cached_property

from callmissed.aws.secrets import account_environment, pepper_ring, sealing_ring
from callmissed.http.client import SafeClient
from callmissed.money import CREDIT, MicroCredits
from callmissed.rate_limits import SlidingWindows
from callmissed.sealing import Sealer
from functions.auth.challenges.challenges import Challenges
from functions.auth.challenges.codes import Codes
from functions.auth.composition import AuthComposition
from functions.auth.mail.outlet import MailOutlet
from functions.auth.mail.quota import MailQuota
from functions.auth.passkeys.challenge import SignInChallenges
from functions.auth.passkeys.relying_party import RelyingParty
from functions.auth.sessions.refresh_tokens import RefreshTokens
from functions.auth.sessions.service import Sessions
from functions.auth.sign_in.accounts import Accounts
from functions.auth.sign_in.attempts import SignInAttempts
from functions.auth.sign_in.captcha import Captcha, NoCaptcha, RememberedCaptcha, Turnstile
from functions.auth.sign_in.completion import SignInCompletion
from functions.auth.sign_in.google import GoogleSignIn
from functions.auth.sign_in.google_tokens import GoogleKeys, GoogleTokens
from functions.auth.sign_in.registration import Registrations
from functions.auth.sign_in.second_factor import SecondFactors
from functions.auth.sign_in.service import SignIn

TURNSTILE_SECRET = "TURNSTILE_SECRET_KEY"  # noqa: S105  the name of a variable


@dataclass(frozen=True)
class SignInComposition:
    """The services of one process, each made at its first use. Raises ValueError for a setting that is wrong."""

    base: AuthComposition

    @cached_property
    def windows(self) -> SlidingWindows:
        """The limits of public routes."""
        return SlidingWindows(self.base.database)

    @cached_property
    def sealer(self) -> Sealer:
        """Seals what must be read again."""
        return Sealer(sealing_ring(self.base.settings))

    @cached_property
    def mails(self) -> MailOutlet:
        """Queues mails."""
        return MailOutlet(self.base.mails, self.sealer)

    @cached_property
    def quota(self) -> MailQuota:
        """Counts mails."""
        return MailQuota(self.windows)

    @cached_property
    def codes(self) -> Codes:
        """The codes of mails."""
        return Codes(self.base.database, pepper_ring(self.base.settings))

    @cached_property
    def sessions(self) -> Sessions:
        """Where people are signed in."""
        return Sessions(
            self.base.database, self.base.tokens, RefreshTokens(pepper_ring(self.base.settings)), self.mails
        )

    @cached_property
    def second_factors(self) -> SecondFactors:
        """The second factors of people."""
        base = self.base
        return SignInChallenges(base.database, Challenges(base.database), RelyingParty.of(base.settings))

    @cached_property
    def completion(self) -> SignInCompletion:
        """Completes sign-ins."""
        return SignInCompletion(self.base.database, self.sessions, self.second_factors)

    @cached_property
    def accounts(self) -> Accounts:
        """Finds and creates accounts."""
        bonus = MicroCredits(self.base.settings.signup_bonus_credits * CREDIT)
        return Accounts(self.base.database, self.sessions, bonus)

    @cached_property
    def attempts(self) -> SignInAttempts:
        """Counts attempts to sign in."""
        return SignInAttempts(self.base.database, self.windows)

    @cached_property
    def registrations(self) -> Registrations:
        """Registers people."""
        terms = self.base.settings.terms_url
        return Registrations(self.base.database, self.accounts, self.codes, self.mails, self.quota, terms)

    @cached_property
    def sign_in(self) -> SignIn:
        """Signs people in by password and by code."""
        return SignIn(
            self.base.database,
            self.accounts,
            self.attempts,
            self.completion,
            self.registrations,
            self.second_factors,
            self.codes,
            self.mails,
            self.quota,
        )

    @cached_property
    def http(self) -> SafeClient:
        """Asks Google, Cloudflare, and providers about credentials."""
        settings = self.base.settings
        return SafeClient(allow_loopback=settings.allow_loopback)

    @cached_property
    def captcha(self) -> RememberedCaptcha:
        """Asks for captchas before mails."""
        return RememberedCaptcha(self.base.database, self._captcha)

    @cached_property
    def google(self) -> GoogleSignIn:
        """Signs people in with Google."""
        settings = self.base.settings
        native = _listed(settings.google_native_client_ids)
        keys = GoogleKeys(self.http, settings.google_certificates_url)
        return GoogleSignIn(
            GoogleTokens(keys, _listed(settings.google_client_ids) | native),
            self.accounts,
            self.attempts,
            self.completion,
            self.registrations,
            self.second_factors,
            self._captcha,
            native,
        )

    @cached_property
    def _captcha(self) -> Captcha:
        settings = self.base.settings
        if settings.captcha == "off":
            return NoCaptcha()
        secret = account_environment(settings).get(TURNSTILE_SECRET, "")
        if settings.captcha != "turnstile" or not secret:
            raise ValueError(f"captcha is 'off', or 'turnstile' with {TURNSTILE_SECRET}")
        return Turnstile(self.http, settings.captcha_url, secret)


def _listed(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(",") if part.strip())
