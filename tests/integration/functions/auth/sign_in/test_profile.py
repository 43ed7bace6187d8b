"""The signed-in person's own profile."""

import json

import pytest

from tests.support.people import SignedIn

PATH = "/api/v1/auth/me"


async def test_profile_is_kept_in_one_form_and_audited(owner: SignedIn) -> None:
    changed = await owner.call("PATCH", PATH, {"full_name": " Grace Hopper ", "phone_number": "098765 43210"})
    [row] = json.loads((await owner.call("GET", "/api/v1/audit/events")).body)

    assert json.loads(changed.body)["user"]["full_name"] == "Grace Hopper"
    assert (row["action"], row["metadata"]["after"]) == (
        "profile.update",
        {"full_name": "Grace Hopper", "phone_number": "+919876543210"},
    )


@pytest.mark.parametrize("name", [" ", "\0", "Ada\r\nBcc: ada@example.com"])
async def test_name_without_letters_or_with_control_characters_is_refused(owner: SignedIn, name: str) -> None:
    refused = await owner.call("PATCH", PATH, {"full_name": name})

    assert (refused.status, refused.error["code"]) == (400, "invalid_request_error")
