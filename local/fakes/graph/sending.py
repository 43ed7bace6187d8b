"""What becomes of a message that a business sends: limits, the user's chat, and the statuses that follow."""

import hashlib
from collections import defaultdict, deque

from local.fakes.graph.accounts import GraphAccount, GraphNumber
from local.fakes.graph.callbacks import CallbackUpdate
from local.fakes.graph.delivery import CallbackSender
from local.fakes.graph.errors import (
    OUTSIDE_WINDOW,
    PAIR_RATE_HIT,
    RATE_HIT,
    UNDELIVERABLE,
    GraphRefusal,
    JsonObject,
    invalid_parameter,
    status_error,
)
from local.fakes.graph.faults import FaultKind
from local.fakes.graph.state import DAY_SECONDS, MEDIA_KINDS, ChatEntry, GraphState, GraphUser
from local.fakes.graph.validation import check_message

_NEW_PRICING = 24
_WINDOW_DETAILS = (
    "Message failed to send because more than 24 hours have passed since the customer last replied to this number."
)
_ORDER = ("accepted", "sent", "delivered", "read")


class Outbound:
    """Takes messages of businesses and sends their statuses."""

    def __init__(self, state: GraphState, sender: CallbackSender) -> None:
        self.sent: list[ChatEntry] = []
        self._state = state
        self._sender = sender
        self._pair_full_at: dict[tuple[str, str], float] = {}
        self._recent: defaultdict[str, deque[float]] = defaultdict(deque)

    def take(self, account: GraphAccount, number: GraphNumber, body: JsonObject) -> JsonObject:
        """Take a message; returns Graph's answer. Raises GraphRefusal."""
        kind = check_message(body)
        with self._state.lock:
            user, contact = self._recipient(body)
            self._check_content(account, kind, body[kind])
            failure = self._failure(number, user, kind)
            self._check_rates(number, user)
            entry = self._stored(number, user, kind, body)
        self._follow(entry, failure)
        return {"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": entry.wamid}]}

    def mark_read(self, number: GraphNumber, body: JsonObject) -> JsonObject:
        """The business has read a user's message, and all before it; it may show that it writes."""
        with self._state.lock:
            entry = self._state.entries.get(str(body.get("message_id")))
            if entry is None or entry.outgoing or entry.number_id != number.number_id:
                raise invalid_parameter("Param message_id is not a message of a user to this number.")
            for other in list(self._state.entries.values()):
                if other.user is entry.user and other.number_id == entry.number_id and not other.outgoing:
                    self._set_read(other)
                if other is entry:
                    break
            if body.get("typing_indicator"):
                entry.user.typing.add(number.number_id)
                self._state.touch(entry)
        return {"success": True}

    def advance(self, user: GraphUser) -> None:
        """Send the statuses that are due now that `user` is online or reads."""
        for entry in [entry for entry in self.sent if entry.user is user]:
            if entry.status in ("sent", "delivered"):
                self._next_status(entry)

    def deliver(self, entry: ChatEntry) -> None:
        """Deliver a message that left the business's own phone, and send the statuses that follow."""
        self._next_status(entry)

    def _set_read(self, entry: ChatEntry) -> None:
        if entry.status != "read":
            entry.status = "read"
            self._state.touch(entry)

    def _recipient(self, body: JsonObject) -> tuple[GraphUser, JsonObject]:
        """The user, and the answer's contact. `to` counts where both are given."""
        to, recipient = body.get("to"), body.get("recipient")
        if to:
            digits = "".join(filter(str.isdigit, str(to)))
            if not 5 <= len(digits) <= 20:
                raise invalid_parameter("The parameter to is not a valid phone number.")
            return self._state.meet(digits), {"input": str(to), "wa_id": digits}
        if not recipient:
            raise invalid_parameter("The parameter to is required.")
        user = next((user for user in self._state.users if user.bsuid == recipient), None)
        if user is None:
            raise GraphRefusal(UNDELIVERABLE, "The recipient is not a user of this business.")
        return user, {"input": user.bsuid, "user_id": user.bsuid}

    def _check_content(self, account: GraphAccount, kind: str, part: JsonObject) -> None:
        if kind in MEDIA_KINDS and (media_id := part.get("id")):
            media = self._state.media.get(str(media_id))
            if media is None or media.expired or media.waba_id != account.waba_id:
                text = f"Param {kind}['id'] is not a valid whatsapp business account media attachment ID"
                raise invalid_parameter(text)
        if kind == "template":
            self._check_template(part)

    def _check_template(self, part: JsonObject) -> None:
        expected = self._state.templates.get((part["name"], part["language"]["code"]))
        if expected is None:
            raise GraphRefusal(132001, f"template name ({part['name']}) does not exist in {part['language']['code']}")
        bodies = [each for each in part.get("components", []) if str(each.get("type")).lower() == "body"]
        given = sum(len(each.get("parameters", [])) for each in bodies)
        if given != expected:
            details = f"body: number of localizable_params ({given}) does not match the expected number ({expected})"
            raise GraphRefusal(132000, details)

    def _failure(self, number: GraphNumber, user: GraphUser, kind: str) -> JsonObject | None:
        """The error of the status `failed` that the message gets. Raises GraphRefusal where the answer has it."""
        heard = user.heard.get(number.number_id)
        if kind != "template" and (heard is None or self._state.options.clock() - heard >= DAY_SECONDS):
            if self._state.options.window_errors == "answer":
                raise GraphRefusal(OUTSIDE_WINDOW, _WINDOW_DETAILS)
            return status_error(OUTSIDE_WINDOW, _WINDOW_DETAILS)
        if number.number_id in user.blocked:
            return status_error(UNDELIVERABLE, "Message undeliverable.")
        for fault in self._state.faults.hit("status", kind, *user.ids):
            if fault.kind is FaultKind.FAILED_STATUS and fault.code is not None:
                return status_error(fault.code, fault.details)
            return {}
        return None

    def _check_rates(self, number: GraphNumber, user: GraphUser) -> None:
        now = self._state.options.clock()
        recent, limit = self._recent[number.number_id], self._state.options.throughput
        while recent and recent[0] <= now - 1:
            recent.popleft()
        if limit is not None and len(recent) >= limit:
            raise GraphRefusal(RATE_HIT, "Message failed to send because there were too many messages of this number")
        if self._state.options.pair_rate:
            burst, pause = self._state.options.pair_rate
            pair = (number.number_id, user.key)
            full_at = max(self._pair_full_at.get(pair, now), now) + pause
            if full_at > now + burst * pause:
                raise GraphRefusal(PAIR_RATE_HIT, "Too many messages to the same phone number in a short time")
            self._pair_full_at[pair] = full_at
        recent.append(now)

    def _stored(self, number: GraphNumber, user: GraphUser, kind: str, body: JsonObject) -> ChatEntry:
        context: JsonObject = body.get("context") or {}
        entry = ChatEntry(
            wamid=self._state.new_wamid(),
            number_id=number.number_id,
            user=user,
            outgoing=True,
            kind=kind,
            content=body[kind] if kind != "contacts" else {"contacts": body[kind]},
            moment=self._state.now(),
            context=context.get("message_id"),
            request=body,
        )
        user.typing.discard(number.number_id)
        self.sent.append(entry)
        return self._state.keep(entry)

    def _follow(self, entry: ChatEntry, failure: JsonObject | None) -> None:
        """Send the statuses: `failure` alone, none for an empty one."""
        if failure is None:
            self._next_status(entry)
        elif failure:
            entry.error = failure
            self._sender.later(self._state.options.status_seconds, lambda: self._set(entry, "failed"))

    def _next_status(self, entry: ChatEntry) -> None:
        before = entry.status
        self._sender.later(self._state.options.status_seconds, lambda: self._move_on(entry, before))

    def _move_on(self, entry: ChatEntry, before: str) -> None:
        """Send the status after `before`, unless it was sent already or the user keeps it from coming."""
        user = entry.user
        if entry.status != before:
            return
        following = _ORDER[_ORDER.index(entry.status) + 1]
        held = (following == "delivered" and not user.online) or (following == "read" and not user.reads)
        if held:
            return
        self._set(entry, following)
        if following != "read":
            self._next_status(entry)

    def _set(self, entry: ChatEntry, status: str) -> None:
        with self._state.lock:
            entry.status = status
            self._state.touch(entry)
        account, number = self._state.account_of(entry.number_id)
        part = self._status_part(entry)
        contact = None if status == "failed" else contact_of(entry.user, known=entry.request.get("to") is not None)
        self._sender.put(CallbackUpdate(account, number, entry.user.key, "statuses", part, contact))

    def _status_part(self, entry: ChatEntry) -> JsonObject:
        user = entry.user
        known = entry.request.get("to") is not None or not user.hidden
        part: JsonObject = {"id": entry.wamid, "status": entry.status, "timestamp": str(self._state.now())}
        part |= {"recipient_id": user.wa_id} if known else {}
        part["recipient_user_id"] = user.bsuid
        part |= {"biz_opaque_callback_data": entry.opaque} if entry.opaque is not None else {}
        if entry.status == "failed":
            return part | {"errors": [entry.error]}
        return part | (self._pricing(entry) if entry.status in ("sent", "delivered") else {})

    def _pricing(self, entry: ChatEntry) -> JsonObject:
        """Since July 2025 a price is per message; answers within the window are free."""
        category = "utility" if entry.kind == "template" else "service"
        free = category == "service"
        pricing: JsonObject = {"billable": not free, "pricing_model": "PMP", "category": category}
        pricing["type"] = "free_customer_service" if free else "regular"
        if self._state.options.callback_version >= _NEW_PRICING:
            return {"pricing": pricing}
        pair = f"{entry.number_id}:{entry.user.key}:{category}"
        conversation: JsonObject = {"id": hashlib.md5(pair.encode(), usedforsecurity=False).hexdigest()}
        if entry.status == "sent":
            conversation["expiration_timestamp"] = str(entry.moment + DAY_SECONDS)
        return {"conversation": conversation | {"origin": {"type": category}}, "pricing": pricing}


def contact_of(user: GraphUser, *, known: bool = False) -> JsonObject:
    """The contact of callbacks. The number is left out where it is hidden and not `known` to the business."""
    profile: JsonObject = {"name": user.name} | ({"username": user.username} if user.username else {})
    contact: JsonObject = {"profile": profile, "user_id": user.bsuid}
    return contact | ({"wa_id": user.wa_id} if known or not user.hidden else {})
