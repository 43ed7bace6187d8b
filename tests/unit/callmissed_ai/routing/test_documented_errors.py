"""What providers document of errors: the caller's 400 in our words, or the next route, and whose fault that was."""

import pytest

from callmissed.catalog.model import NATIVE_CATEGORIES
from callmissed.errors import ApiError, envelope
from callmissed_ai.routing.attempt import FailedTry
from tests.support.inference.recorded_transport import RecordedReply
from tests.support.inference.service_calls import SERVED, Refusal, attempt_at, refusals

REFUSALS = list(refusals())


def test_every_native_provider_has_its_errors() -> None:
    for name, categories in NATIVE_CATEGORIES.items():
        assert set(SERVED[name]) == set(categories), name
    for provider, services in SERVED.items():
        for service in services:
            own = [case for case in REFUSALS if (case.provider, case.service) == (provider, service)]
            assert {429} <= {case.status for case in own}, (provider, service)
            assert any(case.status in (400, 401, 403) and not case.outage for case in own), (provider, service)
            assert any(case.status >= 500 for case in own), (provider, service)


@pytest.mark.parametrize("case", REFUSALS, ids=[f"{case.provider}-{case.service}-{case.name}" for case in REFUSALS])
async def test_refusal_is_the_callers_or_leads_to_the_next_route(case: Refusal) -> None:
    headers = {name.lower(): value for name, value in case.headers.items()}
    attempt = attempt_at(
        case.provider, case.service, lambda _call: RecordedReply(case.body.encode(), case.status, headers)
    )

    if not case.code:
        failed = await attempt.send()
        assert isinstance(failed, FailedTry)
        assert (failed.outcome, failed.is_outage) == (str(case.status), case.outage)
        assert (failed.wait_seconds, failed.refusal) == (case.wait, None)
        return
    with pytest.raises(ApiError) as refused:
        await attempt.send()
    error = refused.value
    assert (error.status, error.code) == (400, case.code)
    assert case.param is None or error.param == case.param
    shown = str(envelope("/v1/models", error, "request"))
    assert not [text for text in case.body.split('"') if " " in text and text in shown]
