"""Errors of commands, explained in one line."""

import pytest

from callmissed.aws.dynamodb import RequestRefused, Unavailable
from callmissed.errors import ApiError
from callmissed.settings import CoreSettings
from cli.errors import CommandError, explain

DEPLOYED = CoreSettings(stage="prod", region="eu-west-1")
LOCAL = CoreSettings(dynamodb_endpoint="http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("error", "settings", "text"),
    [
        (ApiError(404, "not_found", "No such tenant."), DEPLOYED, "No such tenant."),
        (CommandError("two\n  lines"), None, "two lines"),
        (RequestRefused("ResourceNotFoundException: no"), DEPLOYED, "There is no stage 'prod' in eu-west-1."),
        (
            RequestRefused("AccessDeniedException: you"),
            DEPLOYED,
            "DynamoDB refuses the request: AccessDeniedException: you",
        ),
        (
            Unavailable("connection refused", indeterminate=False),
            LOCAL,
            "DynamoDB in http://127.0.0.1:9 does not answer: connection refused",
        ),
        (OSError(), None, "OSError"),
    ],
)
def test_an_error_is_explained_in_one_line(error: Exception, settings: CoreSettings | None, text: str) -> None:
    assert explain(error, settings) == text
