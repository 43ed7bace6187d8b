"""The state of the stand-in: accounts, tokens, users with their chats, media, templates."""

import base64
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from uuid import uuid4

from local.fakes.graph.accounts import GrantedToken, GraphAccount, GraphApp, GraphNumber
from local.fakes.graph.errors import (
    INVALID_TOKEN,
    SESSION_INVALIDATED,
    GraphRefusal,
    JsonObject,
    unknown_object,
)
from local.fakes.graph.faults import Faults

DAY_SECONDS = 24 * 3600
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class GraphOptions:
    """How the stand-in behaves.

    `status_seconds` lie between two statuses of a message. A callback that is not answered with 200 is sent again after
    `retry_seconds` in turn, of which the last one repeats up to `max_attempts` attempts. `window_errors` says where a
    message outside the 24-hour window is refused: in the `answer`, or by a `status`, as Meta often does. `pair_rate` is
    a burst to one user and the seconds for each message after it; `throughput` the messages of a number in a second.
    Statuses have a `conversation` below `callback_version` 24. Media URLs last `url_seconds`.
    """

    seed: int = 0
    clock: Clock = time.time
    status_seconds: float = 0.0
    retry_seconds: tuple[float, ...] = (0.5, 1, 2, 5, 10, 30, 60)
    max_attempts: int = 20
    hold_seconds: float = 0.5
    window_errors: Literal["answer", "status"] = "answer"
    pair_rate: tuple[int, float] | None = (45, 6.0)
    throughput: int | None = 80
    callback_version: int = 24
    url_seconds: int = 300


@dataclass(slots=True)
class GraphUser:
    """A user of WhatsApp. `bsuid` is the id for the business; `hidden` keeps the number from it.

    Messages reach the user who is `online`, and are read by the one who `reads`.
    """

    key: str
    wa_id: str
    bsuid: str
    name: str
    hidden: bool = False
    online: bool = True
    reads: bool = True
    username: str | None = None
    blocked: set[str] = field(default_factory=set[str])
    heard: dict[str, float] = field(default_factory=dict[str, float])
    """When each of the business's numbers last heard of the user."""

    typing: set[str] = field(default_factory=set[str])
    """Numbers that show the user that they write."""

    @property
    def ids(self) -> tuple[str, ...]:
        """By what faults may name the user."""
        return (self.key, self.wa_id, self.bsuid)


@dataclass(slots=True)
class ChatEntry:
    """A message between a number and a user. `outgoing` ones were sent by the business, with `request` as body.

    `status` is that of Meta: accepted, sent, delivered, read, failed. One of a user is `delivered` when the callback
    was accepted, and `read` when the business says so.
    """

    wamid: str
    number_id: str
    user: GraphUser
    outgoing: bool
    kind: str
    content: JsonObject
    moment: int
    context: str | None = None
    status: str = "accepted"
    error: JsonObject | None = None
    request: JsonObject = field(default_factory=JsonObject)
    revision: int = 0

    @property
    def text(self) -> str | None:
        """The text of the message, its body or caption."""
        match self.kind:
            case "text":
                return self.content.get("body")
            case "interactive":
                reply = self.content.get(str(self.content.get("type")), {})
                return self.content.get("body", {}).get("text") or reply.get("title")
            case "button":
                return self.content.get("text")
            case "reaction":
                return self.content.get("emoji", "")
            case _:
                return self.content.get("caption") if self.kind in MEDIA_KINDS else None

    @property
    def to(self) -> str:
        """The recipient as the business named it."""
        return self.request.get("to") or self.request.get("recipient") or ""

    @property
    def opaque(self) -> str | None:
        """`biz_opaque_callback_data` of the business."""
        return self.request.get("biz_opaque_callback_data")


MEDIA_KINDS = ("image", "video", "audio", "document", "sticker")


@dataclass(slots=True)
class HeldMedia:
    """A file, uploaded by a business or sent by a user; `waba_id` may read it. `expired` ones are gone."""

    media_id: str
    waba_id: str
    number_id: str
    mime_type: str
    content: bytes
    expired: bool = False


class GraphState:
    """Everything that Meta knows. Look-ups raise GraphRefusal as Graph does. `lock` guards changes."""

    def __init__(self, options: GraphOptions) -> None:
        self.options = options
        self.lock = threading.RLock()
        self.faults = Faults(options.seed)
        self.apps: dict[str, GraphApp] = {}
        self.accounts: dict[str, GraphAccount] = {}
        self.tokens: dict[str, GrantedToken] = {}
        self.codes: dict[str, str] = {}
        self.users: list[GraphUser] = []
        self.entries: dict[str, ChatEntry] = {}
        self.media: dict[str, HeldMedia] = {}
        self.templates: dict[tuple[str, str], int] = {}
        self.revision = 0
        self._ids = itertools.count(int(uuid4().int % 10**12) * 1000)

    def now(self) -> int:
        """The present second."""
        return int(self.options.clock())

    def new_id(self) -> str:
        """An id of Graph: digits. Ids differ between runs, because tables outlive the stand-in."""
        return str(10**15 + next(self._ids))

    def new_wamid(self) -> str:
        """An id of a message."""
        return f"wamid.{base64.b64encode(uuid4().bytes + uuid4().bytes).decode()}"

    def new_trace(self) -> str:
        """An id of a request, for the error's `fbtrace_id`."""
        return base64.urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")[:11].replace("-", "A")

    def touch(self, entry: ChatEntry) -> None:
        """Mark `entry` as changed, for those who follow a chat."""
        self.revision += 1
        entry.revision = self.revision

    def keep(self, entry: ChatEntry) -> ChatEntry:
        """Store a new `entry`."""
        with self.lock:
            self.entries[entry.wamid] = entry
            self.touch(entry)
        return entry

    def token(self, secret: str) -> GrantedToken:
        """The token with the text `secret`."""
        app = self.apps.get(secret.partition("|")[0])
        if app and secret == f"{app.app_id}|{app.secret}":
            return GrantedToken(app, set())
        granted = self.tokens.get(secret)
        if granted is None:
            message = "Invalid OAuth access token - Cannot parse access token"
            raise GraphRefusal(INVALID_TOKEN, message=message)
        if granted.revoked:
            message = "Error validating access token: The session was invalidated by the user or by Meta."
            raise GraphRefusal(INVALID_TOKEN, message=message, subcode=SESSION_INVALIDATED)
        return granted

    def account(self, granted: GrantedToken, waba_id: str, method: str = "GET") -> GraphAccount:
        """The account, if the token may see it."""
        account = self.accounts.get(waba_id)
        if account is None or waba_id not in granted.wabas:
            raise unknown_object(method, waba_id)
        return account

    def number(self, granted: GrantedToken, number_id: str, method: str = "GET") -> tuple[GraphAccount, GraphNumber]:
        """The number with its account, if the token may see it."""
        for account in self.accounts.values():
            if number_id in account.numbers and account.waba_id in granted.wabas:
                return account, account.numbers[number_id]
        raise unknown_object(method, number_id)

    def account_of(self, number_id: str) -> tuple[GraphAccount, GraphNumber]:
        """The number with its account. Raises KeyError."""
        for account in self.accounts.values():
            if number_id in account.numbers:
                return account, account.numbers[number_id]
        raise KeyError(number_id)

    def user(self, wa_id: str) -> GraphUser | None:
        """The user with a phone number, in digits, or with a BSUID."""
        return next((user for user in self.users if wa_id in (user.wa_id, user.bsuid)), None)

    def meet(self, wa_id: str, name: str = "") -> GraphUser:
        """The user with a phone number, who is added if nobody has it."""
        with self.lock:
            user = self.user(wa_id)
            if user is None:
                user = GraphUser(key=wa_id, wa_id=wa_id, bsuid=self.new_bsuid(), name=name or f"User {wa_id[-4:]}")
                self.users.append(user)
            return user

    def new_bsuid(self) -> str:
        """A business-scoped user id."""
        return f"IN.{self.new_id()}"
