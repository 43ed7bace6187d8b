"""The services of second factors, composed of those of sign-ins."""

from dataclasses import dataclass
from functools import cached_property

from functions.auth.challenges.challenges import Challenges
from functions.auth.passkeys.relying_party import RelyingParty
from functions.auth.passkeys.service import Passkeys
from functions.auth.passkeys.verification import PasskeyVerification
from functions.auth.sign_in_composition import SignInComposition
from functions.auth.two_factor.codes import FactorCodes
from functions.auth.two_factor.recovery import FactorRecovery
from functions.auth.two_factor.service import TwoFactor
from functions.auth.two_factor.verification import CodeVerification, SecondStep


@dataclass(frozen=True)
class FactorComposition:
    """The services of one process, each made at its first use."""

    people: SignInComposition

    @cached_property
    def two_factor(self) -> TwoFactor:
        """The second factor of a signed-in person."""
        return TwoFactor(self.people.base.database, self._codes, self.people.windows, self.people.mails)

    @cached_property
    def code_verification(self) -> CodeVerification:
        """Completes sign-ins by codes."""
        return CodeVerification(self._step, self._codes, self.people.windows)

    @cached_property
    def recovery(self) -> FactorRecovery:
        """Removes second factors."""
        people = self.people
        return FactorRecovery(
            people.base.database, people.accounts, people.codes, people.second_factors, people.mails, people.quota
        )

    @cached_property
    def passkeys(self) -> Passkeys:
        """The passkeys of a signed-in person."""
        people = self.people
        return Passkeys(people.base.database, self._challenges, self._relying_party, people.mails)

    @cached_property
    def passkey_verification(self) -> PasskeyVerification:
        """Completes sign-ins by passkeys."""
        return PasskeyVerification(self.people.base.database, self._step, self._relying_party)

    @cached_property
    def _challenges(self) -> Challenges:
        return Challenges(self.people.base.database)

    @cached_property
    def _relying_party(self) -> RelyingParty:
        return RelyingParty.of(self.people.base.settings)

    @cached_property
    def _codes(self) -> FactorCodes:
        return FactorCodes(self.people.sealer)

    @cached_property
    def _step(self) -> SecondStep:
        return SecondStep(self.people.base.database, self._challenges, self.people.completion, self.people.windows)
