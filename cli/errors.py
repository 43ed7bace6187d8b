"""Errors of commands, and their text in one line for the terminal."""

from botocore.exceptions import BotoCoreError, ClientError

from callmissed.aws.dynamodb import DynamoError, RequestRefused, Unavailable
from callmissed.errors import ApiError
from callmissed.settings import CoreSettings


class CommandError(Exception):
    """A command can't be carried out; the message says why and what to do."""


EXPECTED_ERRORS = (ApiError, BotoCoreError, ClientError, CommandError, DynamoError, OSError, ValueError)


def explain(error: Exception, settings: CoreSettings | None) -> str:
    """One line about `error`. `settings` are those of the command's stage, None when no stage was found."""
    match error:
        case RequestRefused() if settings and "ResourceNotFoundException" in str(error):
            text = f"There is no stage '{settings.stage}' in {settings.dynamodb_endpoint or settings.region}."
        case RequestRefused():
            text = f"DynamoDB refuses the request: {error}"
        case Unavailable() if settings:
            text = f"DynamoDB in {settings.dynamodb_endpoint or settings.region} does not answer: {error}"
        case _:
            text = str(error)
    return " ".join(text.split()) or type(error).__name__
