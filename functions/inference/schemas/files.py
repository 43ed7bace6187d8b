"""Answers about files."""

from typing import Literal

from pydantic import BaseModel, Field


class FileOut(BaseModel):
    """OpenAI's file object."""

    id: str
    object: Literal["file"]
    bytes: int
    created_at: int
    expires_at: int
    filename: str
    purpose: str
    status: Literal["pending", "processed"] = Field(description="`pending` until the bytes are uploaded.")
    status_details: str | None


class UploadFormOut(BaseModel):
    """A form that uploads the bytes of one file, exactly as many as were announced."""

    method: Literal["POST"]
    url: str
    fields: dict[str, str] = Field(description="Fields of the form, before the field `file`.")
    expires_at: int = Field(description="An upload must begin before.")


class CreatedFileOut(FileOut):
    """A new file; one that was announced has the form that uploads it."""

    upload: UploadFormOut | None = None


class FileListOut(BaseModel):
    """OpenAI's list of files."""

    object: Literal["list"]
    data: list[FileOut]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeletedFileOut(BaseModel):
    """That a file is deleted."""

    id: str
    object: Literal["file"]
    deleted: Literal[True]
