"""Callbacks of Twilio Voice.

https://www.twilio.com/docs/usage/webhooks/webhooks-security: the header `X-Twilio-Signature` is an HMAC over the exact
URL that Twilio called, and the fields of the form. Behind a proxy we see another URL, so the callback has a list of the
URLs under which we may have been called.
"""

from collections.abc import Callable
from typing import cast
from urllib.parse import parse_qsl

from starlette.datastructures import ImmutableMultiDict

from callmissed.integrations.credentials import twilio_account
from functions.webhooks.callbacks.receive import Callback, CallbackItem, invalid_signature
from functions.webhooks.callbacks.signers import Signers

VOICE = "callback.twilio.voice"
STATUS = "callback.twilio.status"
NO_BOT = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    "<Response><Say>Sorry, nobody can take your call at the moment. Please try again later.</Say><Hangup/></Response>"
)
"""TwiML (https://www.twilio.com/docs/voice/twiml) for a number that no bot answers yet."""

_MAX_FIELDS = 200
_MAX_NAME_LENGTH = 100

Form = ImmutableMultiDict[str, str]
_Validate = Callable[[str, Form, str], bool]


class Twilio:
    """Verifies callbacks of Twilio."""

    def __init__(self, signers: Signers) -> None:
        self._signers = signers

    async def verify_voice(self, callback: Callback) -> list[CallbackItem]:
        """See `receive.Verify`: an incoming call. It is stored once, however often Twilio sends the request."""
        form = _form(callback)
        return [await self._item(VOICE, form, callback, _required(form, "CallSid"))]

    async def verify_status(self, callback: Callback) -> list[CallbackItem]:
        """See `receive.Verify`: a change of a call's status. Each change is stored once."""
        form = _form(callback)
        names = (_required(form, "CallSid"), form.get("CallStatus", ""), form.get("SequenceNumber", ""))
        return [await self._item(STATUS, form, callback, "\0".join(names))]

    async def _item(self, type: str, form: Form, callback: Callback, own_id: str) -> CallbackItem:
        account = twilio_account(_required(form, "AccountSid"), _our_number(form))
        tenant = await self._signers.tenant(account, lambda secret: _signed(secret, form, callback))
        if tenant is None:
            raise invalid_signature()
        return CallbackItem(tenant, type, account, own_id, callback.body.decode(errors="surrogateescape"))


def _signed(secret: str, form: Form, callback: Callback) -> bool:
    # Imported here because the import takes 20 ms, and only this callback needs it; it has no types.
    from twilio.request_validator import RequestValidator  # pyright: ignore[reportMissingTypeStubs]

    validate = cast("_Validate", RequestValidator(secret).validate)  # pyright: ignore[reportUnknownMemberType]
    signature = callback.headers.get("x-twilio-signature", "")
    return any(validate(url, form, signature) for url in callback.urls)


def _form(callback: Callback) -> Form:
    """The fields, repeated and empty ones included. Raises ApiError 401 for a body that is no form."""
    try:
        return ImmutableMultiDict(parse_qsl(callback.body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except ValueError:
        raise invalid_signature() from None


def _our_number(form: Form) -> str:
    """The tenant's number: the caller's number in an outgoing call, else the called number."""
    return _required(form, "From" if form.get("Direction", "").startswith("outbound") else "To")


def _required(form: Form, name: str) -> str:
    value = form.get(name, "")
    if not 1 <= len(value) <= _MAX_NAME_LENGTH:
        raise invalid_signature()
    return value
