"""Media: uploaded to Meta and read from it, through us. Nothing is stored here."""

from dataclasses import dataclass

from callmissed.aws.database import Database
from callmissed.errors import ApiError
from callmissed.platform.tables import MESSAGES
from callmissed.sealing import Sealer
from functions.bots.channels.whatsapp.errors import FaultMeaning
from functions.bots.channels.whatsapp.graph import GraphClient, GraphError, GraphRefused, JsonObject, MediaDownload
from functions.bots.channels.whatsapp.uploads import UploadFile, media_form
from functions.bots.conversations.messages import message_key, message_of
from functions.bots.conversations.repository import ConversationRepository
from functions.bots.numbers.records import PhoneNumber
from functions.bots.whatsapp.errors import graph_failed, refused_number
from functions.bots.whatsapp.media.errors import too_large, unknown_media, unsupported_type
from functions.bots.whatsapp.media.ids import named_media, receiving_message, uploaded_id
from functions.bots.whatsapp.media.schemas import MediaDetails, UploadedMedia
from functions.bots.whatsapp.recipients import Recipients
from functions.bots.whatsapp.selectors import NumberSelector

MAX_BYTES = 4 * 1024 * 1024
"""What a request or an answer of a function carries through API Gateway."""


@dataclass(frozen=True, slots=True)
class MediaLocation:
    """Meta's id of media, and the tenant's number whose token reaches them."""

    media_id: str
    number: PhoneNumber


class WhatsAppMedia:
    """Media of one stage. Every method raises ApiError, and Unavailable when DynamoDB does not answer."""

    def __init__(
        self,
        database: Database,
        conversations: ConversationRepository,
        recipients: Recipients,
        graph: GraphClient,
        sealer: Sealer,
    ) -> None:
        self._database = database
        self._conversations = conversations
        self._recipients = recipients
        self._graph = graph
        self._sealer = sealer

    async def upload(self, tenant: str, selector: NumberSelector, file: UploadFile) -> UploadedMedia:
        """Media for messages of the number."""
        if len(file.content) > MAX_BYTES:
            raise too_large(MAX_BYTES)
        number = await self._recipients.number(tenant, selector)
        content, content_type = media_form(file)
        try:
            answer = await self._graph.upload(f"{number.number_id}/media", self._token(number), content, content_type)
        except GraphError as error:
            if isinstance(error, GraphRefused) and error.fault.meaning is FaultMeaning.INVALID:
                raise unsupported_type() from None
            raise await self._recipients.failed(number, error) from None
        media_id = answer.get("id")
        if not isinstance(media_id, str):
            raise ApiError(502, "channel_error", "Meta's answer has no id of the media.")
        ours = uploaded_id(number.number_id, media_id)
        return UploadedMedia(id=ours, media_id=ours)

    async def details(self, tenant: str, media_id: str, selector: NumberSelector) -> MediaDetails:
        """What Meta says of the media."""
        _, node = await self._node(tenant, media_id, selector)
        return MediaDetails.of(media_id, node)

    async def content(self, tenant: str, media_id: str, selector: NumberSelector) -> MediaDownload:
        """The media's bytes."""
        number, node = await self._node(tenant, media_id, selector)
        url = node.get("url")
        if not isinstance(url, str):
            raise unknown_media()
        try:
            download = await self._graph.download(url, self._token(number), MAX_BYTES)
        except GraphError as error:
            raise (unknown_media() if _is_gone(error) else graph_failed(error)) from None
        if download is None:
            raise too_large(MAX_BYTES)
        return download

    async def meta_id(self, tenant: str, media_id: str, number: PhoneNumber) -> str:
        """Meta's id of media that a message of `number` is to have."""
        found = await self.locate(tenant, media_id, NumberSelector(phone_number_id=number.number_id))
        if found.number.number_id != number.number_id:
            raise unknown_media()
        return found.media_id

    async def locate(self, tenant: str, media_id: str, selector: NumberSelector) -> MediaLocation:
        """Where the media are. A plain id of Meta's needs the number in the `selector`."""
        if message := receiving_message(media_id):
            return await self._received(tenant, *message)
        named = named_media(media_id)
        if named is None:
            raise unknown_media()
        if named.number_id is None:
            return MediaLocation(named.media_id, await self._recipients.number(tenant, selector))
        return MediaLocation(named.media_id, await self._recipients.numbered(tenant, named.number_id))

    async def _received(self, tenant: str, conversation_id: str, message_id: str) -> MediaLocation:
        item = await self._database.get(MESSAGES, message_key(tenant, conversation_id, message_id))
        conversation = await self._conversations.get(tenant, conversation_id)
        media_id = (message_of(item).media or {}).get("meta_id") if item else None
        if conversation is None or not isinstance(media_id, str):
            raise unknown_media()
        return MediaLocation(media_id, await self._recipients.numbered(tenant, conversation.number_id))

    async def _node(self, tenant: str, media_id: str, selector: NumberSelector) -> tuple[PhoneNumber, JsonObject]:
        found = await self.locate(tenant, media_id, selector)
        query = {"phone_number_id": found.number.number_id}
        try:
            return found.number, await self._graph.get(found.media_id, self._token(found.number), query)
        except GraphError as error:
            if _is_gone(error):
                raise unknown_media() from None
            raise await self._recipients.failed(found.number, error) from None

    def _token(self, number: PhoneNumber) -> str:
        if not number.is_connected:
            raise refused_number()
        return self._sealer.unseal(number.token)


def _is_gone(error: GraphError) -> bool:
    """Whether Meta does not know the media: it says then that an id or a parameter is wrong."""
    gone = (FaultMeaning.INVALID, FaultMeaning.NUMBER, FaultMeaning.MEDIA, FaultMeaning.OTHER)
    return isinstance(error, GraphRefused) and (error.fault.status == 404 or error.fault.meaning in gone)
