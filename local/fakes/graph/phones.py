"""The phones of WhatsApp's users: what they write becomes signed callbacks."""

import base64
import hashlib
from dataclasses import dataclass

from local.fakes.graph.callbacks import CallbackUpdate
from local.fakes.graph.delivery import CallbackSender
from local.fakes.graph.errors import JsonObject
from local.fakes.graph.interactive import offered
from local.fakes.graph.sending import Outbound, contact_of
from local.fakes.graph.state import DAY_SECONDS, ChatEntry, GraphState, GraphUser, HeldMedia


class PhoneError(Exception):
    """A phone can't do this; the message says why."""


@dataclass(frozen=True, slots=True)
class PhoneUser:
    """A user's phone, with the chat with one number of a business. Methods that write return the message's id."""

    user: GraphUser
    number_id: str
    state: GraphState
    sender: CallbackSender
    outbound: Outbound

    @property
    def chat(self) -> list[ChatEntry]:
        """All messages of the chat, oldest first."""
        with self.state.lock:
            entries = list(self.state.entries.values())
        return [entry for entry in entries if entry.user is self.user and entry.number_id == self.number_id]

    @property
    def inbox(self) -> list[ChatEntry]:
        """What the business has sent and the phone shows."""
        shown = ("delivered", "read")
        return [entry for entry in self.chat if entry.outgoing and entry.status in shown]

    def say(self, text: str, *, reply_to: str | None = None) -> str:
        """Write a text."""
        return self.send("text", {"body": text}, reply_to=reply_to)

    def choose(self, choice: str) -> str:
        """Tap the button or the row with the id or title `choice`, of the newest message that offers it.

        Raises PhoneError if none does.
        """
        for entry in reversed(self.inbox):
            choices = offered(entry.content) if entry.kind == "interactive" else {}
            for id, found in choices.items():
                if choice in (id, found.get("title")):
                    return self._reply(entry, found)
        raise PhoneError(f"No message offers '{choice}'.")

    def tap_template(self, entry: ChatEntry, text: str, payload: str | None = None) -> str:
        """Tap a quick reply of a template."""
        return self.send("button", {"text": text, "payload": payload or text}, reply_to=entry.wamid)

    def react(self, wamid: str, emoji: str) -> str:
        """React to a message; an empty emoji takes the reaction back."""
        content = {"message_id": wamid} | ({"emoji": emoji} if emoji else {})
        return self.send("reaction", content)

    def share_location(self, latitude: float, longitude: float, **place: str) -> str:
        """Share a place, with `name` and `address` if it has any."""
        return self.send("location", {"latitude": latitude, "longitude": longitude, **place})

    def share_contact(self, name: str, phone: str) -> str:
        """Share the card of another person."""
        first, _, last = name.partition(" ")
        names = {"formatted_name": name, "first_name": first} | ({"last_name": last} if last else {})
        digits = "".join(filter(str.isdigit, phone))
        card = {"name": names, "phones": [{"phone": phone, "wa_id": digits, "type": "CELL"}]}
        return self.send("contacts", {"contacts": [card]})

    def send_media(
        self, kind: str, content: bytes, mime_type: str, *, caption: str | None = None, filename: str | None = None
    ) -> str:
        """Send an image, video, audio, document or sticker."""
        account, _ = self.state.account_of(self.number_id)
        media = HeldMedia(self.state.new_id(), account.waba_id, self.number_id, mime_type, content)
        self.state.media[media.media_id] = media
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        part: JsonObject = {"mime_type": mime_type, "sha256": digest, "id": media.media_id}
        part |= {"caption": caption} if caption else {}
        part |= {"filename": filename} if filename else {}
        part |= {"voice": mime_type.startswith("audio/ogg")} if kind == "audio" else {}
        part |= {"animated": False} if kind == "sticker" else {}
        return self.send(kind, part)

    def send_unsupported(self) -> str:
        """Send what the Cloud API does not pass on, such as a poll."""
        details = {"details": "Message type is currently not supported."}
        title = "Message type unknown"
        error = {"code": 131051, "title": title, "message": title, "error_data": details}
        return self.send("unsupported", {"type": "poll"}, errors=[error])

    def send(self, kind: str, content: JsonObject, *, reply_to: str | None = None, **more: object) -> str:
        """Send a message of any type, with `content` as its object and `more` beside it."""
        with self.state.lock:
            entry = self._entry(kind, content, reply_to)
            self.user.heard[self.number_id] = self.state.options.clock()
        part = self._part(entry) | more
        self._put(part, contact_of(self.user))
        return entry.wamid

    def hear(self, kind: str, content: JsonObject) -> str:
        """Get a message of a colleague in the WhatsApp Business app, which Meta echoes to the business."""
        with self.state.lock:
            entry = self._entry(kind, content, None, outgoing=True)
        _, number = self.state.account_of(self.number_id)
        to = {name.replace("from", "to", 1): id for name, id in self._sender_ids().items()}
        part = {"from": number.digits} | to | {"id": entry.wamid, "timestamp": str(entry.moment), "type": kind}
        self._put(part | {kind: content}, contact_of(self.user), "message_echoes")
        self.outbound.deliver(entry)
        return entry.wamid

    def change_number(self, new: str) -> str:
        """Move to another number, which brings a new BSUID; the business gets a system message of the old one."""
        if self.state.user(new):
            raise PhoneError(f"{new} belongs to somebody.")
        user, old, old_bsuid = self.user, self.user.wa_id, self.user.bsuid
        user.wa_id, user.bsuid = new, self.state.new_bsuid()
        body = f"User {user.name} changed from {old} to {new}"
        system = {"body": body, "wa_id": new, "user_id": user.bsuid, "type": "user_changed_number"}
        return self._system(system, {"from": old, "from_user_id": old_bsuid})

    def change_user_id(self) -> str:
        """Get a new BSUID; the business gets a system message with the previous one."""
        user, old = self.user, self.user.bsuid
        user.bsuid = self.state.new_bsuid()
        system = {"body": f"User {user.name} changed from {old} to {user.bsuid}", "user_id": user.bsuid}
        system |= {"previous_user_id": old, "type": "user_changed_user_id"}
        return self._system(system, self._sender_ids() | {"from_user_id": old})

    def hide_number(self, username: str | None = None) -> None:
        """Be known to businesses by BSUID and username alone, from the next message on."""
        self.user.hidden, self.user.username = True, username

    def show_number(self) -> None:
        """Be known to businesses by number again."""
        self.user.hidden = False

    def block(self) -> None:
        """Block the business: its messages fail with 131026."""
        self.user.blocked.add(self.number_id)

    def unblock(self) -> None:
        """Take the business's messages again."""
        self.user.blocked.discard(self.number_id)

    def set_online(self, online: bool = True) -> None:
        """Go on or off line: messages are delivered when the phone is on line."""
        self.user.online = online
        self.outbound.advance(self.user)

    def set_reads(self, reads: bool = True) -> None:
        """Read messages as they come, or leave them unread."""
        self.user.reads = reads
        self.outbound.advance(self.user)

    def close_window(self) -> None:
        """Let more than 24 hours pass since the user's last message."""
        if self.number_id in self.user.heard:
            self.user.heard[self.number_id] = self.state.options.clock() - DAY_SECONDS - 1

    def _reply(self, entry: ChatEntry, choice: JsonObject) -> str:
        kind = "list_reply" if entry.content["type"] == "list" else "button_reply"
        names = ("id", "title", "description")
        reply = {name: choice[name] for name in names if choice.get(name)}
        return self.send("interactive", {"type": kind, kind: reply}, reply_to=entry.wamid)

    def _entry(self, kind: str, content: JsonObject, context: str | None, *, outgoing: bool = False) -> ChatEntry:
        return self.state.keep(
            ChatEntry(
                wamid=self.state.new_wamid(),
                number_id=self.number_id,
                user=self.user,
                outgoing=outgoing,
                kind=kind,
                content=content,
                moment=self.state.now(),
                context=context,
                status="sent",
            )
        )

    def _sender_ids(self) -> JsonObject:
        shown = {} if self.user.hidden else {"from": self.user.wa_id}
        return shown | {"from_user_id": self.user.bsuid}

    def _part(self, entry: ChatEntry) -> JsonObject:
        """The message as callbacks have it."""
        part = self._sender_ids() | {"id": entry.wamid, "timestamp": str(entry.moment), "type": entry.kind}
        if entry.context:
            _, number = self.state.account_of(self.number_id)
            part["context"] = {"from": number.digits, "id": entry.context}
        contacts = entry.kind == "contacts"
        return part | {entry.kind: entry.content["contacts"] if contacts else entry.content}

    def _system(self, system: JsonObject, ids: JsonObject) -> str:
        entry = self._entry("system", system, None)
        # Callbacks of system messages have no contacts.
        self._put(self._part(entry) | ids, None)
        return entry.wamid

    def _put(self, part: JsonObject, contact: JsonObject | None, name: str = "messages") -> None:
        account, number = self.state.account_of(self.number_id)
        self.sender.put(CallbackUpdate(account, number, self.user.key, name, part, contact))
