"""Proven accounts: a tenant has shown the provider's token for an account whose callbacks then are that tenant's.

A tenant that merely named the account in its credentials loses it to the one that proves it.
"""

from collections.abc import Mapping

from callmissed.aws.attributes import Value
from callmissed.aws.comparisons import Comparison, equal
from callmissed.aws.operations import WriteOperation, update_operation
from callmissed.integrations.repository import ProviderAccount, account_key, verifier_of
from callmissed.platform.tables import TENANTS


def prove_operation(account: str, proven: ProviderAccount, seen: ProviderAccount | None) -> WriteOperation:
    """Make `proven` the account's record, if the record is still as it was `seen`; None means that there was none."""
    values = {"owner": proven.tenant, "secret": proven.secret, "allow_unsigned": proven.allow_unsigned, "proven": True}
    if seen is None:
        return update_operation(TENANTS, account_key(account), set=values, must_not_exist=("owner",), upsert=True)
    expected: Mapping[str, Value | Comparison] = {"owner": equal(seen.tenant)}
    if seen.proven:
        return update_operation(TENANTS, account_key(account), set=values, expected={**expected, "proven": True})
    return update_operation(TENANTS, account_key(account), set=values, expected=expected, must_not_exist=("proven",))


def business_account_operation(account: str, proven: ProviderAccount) -> WriteOperation:
    """Let callbacks of a WhatsApp Business account be verified by the secret of whoever proved it last.

    Nothing of them is stored for a tenant, so that nobody loses one to another.
    """
    values = {"owner": proven.tenant, "secret": proven.secret, "allow_unsigned": False, "proven": True}
    return update_operation(TENANTS, account_key(account), set=values, upsert=True)


def verify_token_operation(tenant: str, token: str) -> WriteOperation:
    """Let Meta's handshake pass with the tenant's verify token, whatever its credentials name later."""
    owners = {"proven": frozenset({tenant})}
    return update_operation(TENANTS, account_key(verifier_of(token)), add=owners, upsert=True)
