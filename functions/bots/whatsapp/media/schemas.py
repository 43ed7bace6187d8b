"""Models of media."""

from typing import Self

from pydantic import BaseModel, Field

from functions.bots.channels.whatsapp.graph import JsonObject


class UploadedMedia(BaseModel):
    """Media that Meta keeps for 30 days, for messages of the number that they were uploaded for."""

    id: str
    media_id: str = Field(description="The same as `id`, as `POST /messages/media` takes it.")


class MediaDetails(BaseModel):
    """What Meta says of media."""

    id: str
    mime_type: str | None
    sha256: str | None
    file_size: int | None

    @classmethod
    def of(cls, media_id: str, node: JsonObject) -> Self:
        """As the API shows Meta's `node`, without the URL, which needs the access token."""
        size = node.get("file_size")
        return cls(
            id=media_id,
            mime_type=_text(node.get("mime_type")),
            sha256=_text(node.get("sha256")),
            file_size=int(size) if isinstance(size, int | str) and str(size).isdigit() else None,
        )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
