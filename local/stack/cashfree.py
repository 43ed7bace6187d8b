"""The stand-in for the payment gateway beside the stack."""

from collections.abc import Generator
from contextlib import contextmanager

from local.fakes.cashfree.fake import APP_ID, FakeCashfree
from local.state.folder import LocalSecrets

_CALLBACK_PATH = "/api/v1/payments/webhook"


@contextmanager
def cashfree_stand_in(secrets: LocalSecrets, public_url: str) -> Generator[FakeCashfree]:
    """The stand-in, which calls the stack at `public_url`, until the block ends."""
    cashfree = FakeCashfree(app_id=APP_ID, secret_key=secrets.cashfree_secret, callback_url=public_url + _CALLBACK_PATH)
    with cashfree.serving():
        yield cashfree
