"""Media: uploads, their metadata, and content behind URLs that expire.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
"""

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import urlencode

from local.fakes.graph.accounts import GrantedToken, GraphAccount, GraphNumber
from local.fakes.graph.errors import GraphRefusal, JsonObject, invalid_parameter, unknown_object
from local.fakes.graph.state import GraphState, HeldMedia

CONTENT_PATH = "/whatsapp_business/attachments/"
_MB = 1024 * 1024
_DOCUMENTS = (
    "text/plain",
    "application/pdf",
    "application/msword",
    "application/vnd.ms-excel",
    "application/vnd.ms-powerpoint",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
)
MAX_BYTES: Mapping[str, int] = {
    **dict.fromkeys(("image/jpeg", "image/png"), 5 * _MB),
    **dict.fromkeys(("audio/aac", "audio/mp4", "audio/mpeg", "audio/amr", "audio/ogg", "audio/opus"), 16 * _MB),
    **dict.fromkeys(("video/mp4", "video/3gpp"), 16 * _MB),
    "image/webp": 500 * 1024,
    **dict.fromkeys(_DOCUMENTS, 100 * _MB),
}
"""The types that Meta takes, with the largest size of each."""


class MediaStore:
    """The media of a state. `base_url` is the stand-in's, once it serves."""

    def __init__(self, state: GraphState) -> None:
        self.base_url = ""
        self._state = state

    def upload(self, account: GraphAccount, number: GraphNumber, mime_type: str, content: bytes) -> JsonObject:
        """Keep a file; returns Graph's answer. Raises GraphRefusal for a type or a size that Meta does not take."""
        kind = mime_type.partition(";")[0].strip().lower()
        if kind not in MAX_BYTES:
            raise invalid_parameter(
                f"Param file must be a file with one of the following types: {', '.join(MAX_BYTES)}. "
                f"Received file of type '{kind}'."
            )
        if not content or len(content) > MAX_BYTES[kind]:
            raise GraphRefusal(131053, f"Media of type {kind} must have 1 to {MAX_BYTES[kind]} bytes")
        media = HeldMedia(self._state.new_id(), account.waba_id, number.number_id, mime_type, content)
        self._state.media[media.media_id] = media
        return {"id": media.media_id}

    def find(self, granted: GrantedToken, media_id: str, number_id: str | None, method: str = "GET") -> HeldMedia:
        """The media, if the token and the number may see it. Raises GraphRefusal."""
        media = self._state.media.get(media_id)
        if media is None or media.expired or media.waba_id not in granted.wabas:
            raise unknown_object(method, media_id)
        if number_id and number_id != media.number_id:
            raise unknown_object(method, media_id)
        return media

    def node(self, media: HeldMedia) -> JsonObject:
        """The metadata, with a new URL."""
        expires = self._state.now() + self._state.options.url_seconds
        query = urlencode({"mid": media.media_id, "ext": expires, "hash": self._hash(media, str(expires))})
        return {
            "messaging_product": "whatsapp",
            "url": f"{self.base_url}{CONTENT_PATH}?{query}",
            "mime_type": media.mime_type,
            "sha256": hashlib.sha256(media.content).hexdigest(),
            "file_size": len(media.content),
            "id": media.media_id,
        }

    def content(self, granted: GrantedToken, query: Mapping[str, str]) -> HeldMedia | None:
        """The media of a URL; None where the URL or the media has expired."""
        media = self._state.media.get(query.get("mid", ""))
        expires = query.get("ext", "")
        if media is None or media.expired or media.waba_id not in granted.wabas:
            return None
        genuine = hmac.compare_digest(self._hash(media, expires), query.get("hash", ""))
        return media if genuine and int(expires) >= self._state.now() else None

    def delete(self, media: HeldMedia) -> JsonObject:
        """Remove the media; returns Graph's answer."""
        del self._state.media[media.media_id]
        return {"success": True}

    def _hash(self, media: HeldMedia, expires: str) -> str:
        text = f"{media.media_id}:{expires}:{media.waba_id}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]
