"""Graph's refusals of what a tenant asks of its own accounts, as errors of the API. Graph's words are not shown."""

from callmissed.errors import ApiError
from functions.bots.channels.whatsapp.errors import FaultMeaning, GraphFault
from functions.bots.channels.whatsapp.graph import GraphError, GraphRefused

_TEXTS = {
    FaultMeaning.TOKEN: ("access_token", "Meta refuses the access token"),
    FaultMeaning.PERMISSION: (
        "access_token",
        "The access token needs the permissions whatsapp_business_management and whatsapp_business_messaging",
    ),
    FaultMeaning.NUMBER: ("phone_number_id", "Meta shows this id to the access token as neither number nor account"),
}


def onboarding_error(error: GraphError) -> ApiError:
    """422 where Graph refused, 502 where it did not answer."""
    if not isinstance(error, GraphRefused):
        return ApiError(502, "provider_error", "Meta can't be reached, or its answer can't be used. Please retry.")
    place, text = _TEXTS.get(error.fault.meaning, ("access_token", f"Meta refuses the request{_code(error.fault)}"))
    return refused(str(error.fault.meaning), place, text)


def refused(code: str, place: str, text: str) -> ApiError:
    """422: Meta refuses the value at `place` of the body."""
    return ApiError(422, code, f"{text}.", details=[{"loc": ["body", place], "msg": text}])


def _code(fault: GraphFault) -> str:
    return "" if fault.code is None else f" (error {fault.code})"
