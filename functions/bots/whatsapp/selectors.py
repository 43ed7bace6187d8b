"""Which number sends, and to whom."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from callmissed.web.schemas import RequestModel

GraphId = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,40}$")]
Wamid = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\s#]+$")]


class NumberSelector(RequestModel):
    """The number that sends: exactly one of both ids."""

    phone_id: UUID | None = Field(default=None, description="Our id of the number, or:")
    phone_number_id: GraphId | None = Field(default=None, description="Meta's id of the number.")


class NewMessage(NumberSelector):
    """What all messages have. The recipient is exactly one of `to`, `recipient` and `conversation_id`."""

    to: str | None = Field(
        default=None,
        min_length=5,
        max_length=20,
        pattern=r"^\+?[0-9][0-9 ()-]*$",
        description="Phone number, in E.164.",
    )
    recipient: str | None = Field(
        default=None,
        max_length=150,
        pattern=r"^[A-Z]{2}\.[A-Za-z0-9.]+$",
        description="Business-scoped user id of a user whose number is not known.",
    )
    conversation_id: UUID | None = Field(default=None, description="The conversation to whose user the message goes.")
    context_message_id: Wamid | None = Field(default=None, description="wamid of the message that this one answers.")

    @model_validator(mode="after")
    def one_recipient(self) -> Self:
        """Exactly one recipient."""
        if sum(value is not None for value in (self.to, self.recipient, self.conversation_id)) != 1:
            raise ValueError("exactly one of 'to', 'recipient' and 'conversation_id' is needed")
        return self

    @property
    def wa_id(self) -> str | None:
        """The digits of `to`."""
        return None if self.to is None else "".join(filter(str.isdigit, self.to))

    @property
    def given(self) -> str:
        """The recipient as the caller named it."""
        return self.to or self.recipient or str(self.conversation_id)
