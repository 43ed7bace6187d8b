"""POST /v1/chat/completions: a billed call from admission to settlement (docs/architecture.md)."""

from collections.abc import Mapping
from functools import partial

from fastapi import APIRouter, Request, Response

from callmissed.aws.dynamodb import Unavailable
from callmissed.errors import ApiError, service_unavailable
from callmissed.keys.admission import Admitted
from callmissed.keys.secret import Mode
from callmissed.ledger.entries import Outcome
from callmissed.ledger.refusals import HoldRefused
from callmissed.ledger.wallet import SERVICES, fresh_quotas
from callmissed.platform.routes import Permission
from callmissed.tenancy.plans import UNLIMITED, limits
from functions.inference.body import parse_object, read_body
from functions.inference.dialects.openai_chat import parse_chat
from functions.inference.gateway import Gateway
from functions.inference.once import MEDIA_TYPE, Once
from functions.inference.planning import Plan, plan_chat
from functions.inference.relay import MeteredStream, check_stream, read_reply, seconds_left, usage_of
from functions.inference.settlement import BilledCall
from functions.inference.upstreams import Answer

router = APIRouter(tags=["chat"])
_SERVICE = SERVICES[0]


@router.post("/v1/chat/completions", summary="Create a chat completion")
async def chat_completions(request: Request) -> Response:
    """Create a chat completion, blocking or streaming, in the OpenAI dialect.

    The cost is the model's price times the reported tokens; it is settled before the last byte leaves. Bodies up to
    4 MB. `X-Generation-Id` names the call for `GET /v1/generation`. A stream ends with `data: [DONE]`, or with an event
    that carries an `error`. With an `Idempotency-Key` a blocking call runs and costs once in 24 hours.
    """
    gateway: Gateway = request.app.state.gateway
    raw = await read_body(request)
    try:
        body = parse_object(raw)
        plan = plan_chat(gateway.catalog, body, parse_chat(body), len(raw))
        once = None if plan.streamed else Once.of(gateway, request, raw)
    except ApiError:
        await gateway.authenticate(request, Permission.LLM)  # who may not call learns that first
        raise
    try:
        admitted, plan = await _admit(gateway, request, plan)
    except HoldRefused:
        if once and (earlier := await _earlier(gateway, request, plan, once)):
            return earlier  # what is paid for needs no budget
        raise
    call = _call(request, admitted)
    call.db_wait = gateway.clock() - admitted.now
    try:
        _check_models(admitted, plan)
        if once and (earlier := await once.begin(call)):
            return earlier
        return await _serve(gateway, call, plan, once)
    except BaseException:
        await _give_up(gateway, call, once)
        raise


async def _give_up(gateway: Gateway, call: BilledCall, once: Once | None) -> None:
    """Undo what a failed call has set aside; the key is released also when the task is cancelled meanwhile."""
    try:
        await gateway.cashier.cancel(call)
    finally:
        if once:
            await once.release(call)


async def _earlier(gateway: Gateway, request: Request, plan: Plan, once: Once) -> Response | None:
    """The answer that the request got before, for a key whose budget would not cover it again."""
    call = _call(request, await gateway.authenticate(request, Permission.LLM))
    _check_models(call.admitted, plan)
    earlier = await once.begin(call)
    await once.release(call)
    return earlier


def _call(request: Request, admitted: Admitted) -> BilledCall:
    state = request.scope["state"]
    return BilledCall(state["call_id"], admitted, state["started"])


async def _serve(gateway: Gateway, call: BilledCall, plan: Plan, once: Once | None) -> Response:
    plan = await _set_aside(gateway, call, plan)
    answer = await _ask(gateway, call, plan)
    if plan.streamed:
        return await _stream(gateway, call, plan, answer)
    return await _whole(gateway, call, plan, answer, once)


async def _admit(gateway: Gateway, request: Request, plan: Plan) -> tuple[Admitted, Plan]:
    """Admit the call. The plan returned may have a shorter implicit limit, which the key's budget covers."""
    if _is_test(request):
        return await gateway.authenticate(request, Permission.LLM), plan
    try:
        return await gateway.authenticate(request, Permission.LLM, plan.estimate), plan
    except HoldRefused as refused:
        shorter = plan.affordable(refused.affordable)
        if shorter is None:
            raise
    return await gateway.authenticate(request, Permission.LLM, shorter.estimate), shorter


def _is_test(request: Request) -> bool:
    """Whether the key says of itself that it is a test key; its item says so too, or it is not found."""
    return "cm_test_" in (request.headers.get("authorization") or request.headers.get("x-api-key") or "")


def _check_models(admitted: Admitted, plan: Plan) -> None:
    """Check the models against key and plan. Raises ApiError 403."""
    for model in plan.models:
        if not {"*", model.id} & admitted.models:
            raise ApiError(403, "model_not_allowed", f"This API key may not use '{model.id}'.", param="model")
        if admitted.plan == "free" and not model.free and admitted.mode == Mode.LIVE:
            raise _model_not_available(model.id)


async def _set_aside(gateway: Gateway, call: BilledCall, plan: Plan) -> Plan:
    """Hold the dearest outcome. The plan returned may have a shorter implicit limit."""
    if call.admitted.mode == Mode.TEST:
        return plan
    begun = gateway.clock()
    try:
        return await _hold(gateway, call, plan)
    except Unavailable as error:
        raise service_unavailable() from error
    finally:
        call.db_wait += gateway.clock() - begun


async def _hold(gateway: Gateway, call: BilledCall, plan: Plan) -> Plan:
    tenant, shards = call.admitted.tenant, limits(call.admitted.plan).wallet_shards
    hold = partial(gateway.ledger.hold, tenant, call.id, _SERVICE, shards=shards)
    try:
        call.hold, call.wallet = await hold(plan.estimate)
    except HoldRefused as refused:
        shorter = plan.affordable(refused.affordable)
        if shorter is None:
            raise
        call.hold, call.wallet = await hold(shorter.estimate)
        return shorter
    return plan


async def _ask(gateway: Gateway, call: BilledCall, plan: Plan) -> Answer:
    begun = gateway.clock()
    answer = await gateway.upstreams.answer(plan, sandboxed=call.hold is None)
    call.first_byte = gateway.clock()
    call.upstream_wait = call.first_byte - begun
    return answer


async def _whole(gateway: Gateway, call: BilledCall, plan: Plan, answer: Answer, once: Once | None) -> Response:
    begun = gateway.clock()
    body, reply = await read_reply(answer, seconds_left(call, gateway.clock))
    call.upstream_wait += gateway.clock() - begun
    used = await usage_of(plan, reply)
    store = partial(once.complete, call, body) if once else None
    settle = partial(gateway.cashier.settle, call, answer.model, answer.route, used, Outcome.COMPLETED)
    await settle(streamed=False, store=store)  # a reply is charged only once every retry gets it
    return Response(body, media_type=MEDIA_TYPE, headers=_headers(call))


async def _stream(gateway: Gateway, call: BilledCall, plan: Plan, answer: Answer) -> Response:
    await check_stream(answer)
    return MeteredStream(plan, call, answer, gateway.cashier, gateway.clock, _headers(call))


def _headers(call: BilledCall) -> Mapping[str, str]:
    timing = f"db;dur={call.db_wait / 1000:.3f}, upstream;dur={call.upstream_wait / 1000:.3f}"
    return {"X-Generation-Id": f"gen_{call.id}", "Server-Timing": timing, **_quota_headers(call)}


def _quota_headers(call: BilledCall) -> dict[str, str]:
    """The plan's month; a warning from 80 and 95 %."""
    if call.wallet is None:
        return {}
    limit = fresh_quotas(call.admitted.plan)[_SERVICE]
    if limit >= UNLIMITED:
        return {}
    used = limit - call.wallet.quota_left
    headers = {"X-Quota-Limit": str(limit), "X-Quota-Remaining": str(call.wallet.quota_left)}
    if used * 100 >= limit * 80:
        severity = "critical" if used * 100 >= limit * 95 else "warning"
        headers["X-Usage-Warning"] = f"{severity}: {used}/{limit} {_SERVICE} calls this month"
    return headers


def _model_not_available(model_id: str) -> ApiError:
    message = (
        f"Model '{model_id}' requires a paid plan. See GET /api/v1/models/access for the models of each plan. "
        "Upgrade to use it."
    )
    return ApiError(403, "model_not_available", message, param="model")
