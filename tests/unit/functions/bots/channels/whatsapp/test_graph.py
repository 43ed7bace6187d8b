"""Where the access token goes, and what an answer proves."""

import pytest

from callmissed.http.client import SafeClient
from functions.bots.channels.whatsapp.graph import GraphClient, GraphUnreachable
from functions.bots.channels.whatsapp.uploads import UploadFile, media_form

META, LOCAL = "https://graph.facebook.com/v24.0", "http://127.0.0.1:9/v24.0"


@pytest.mark.parametrize(
    ("graph_url", "url"),
    [
        (META, "https://evil.example/whatsapp"),
        (META, "http://lookaside.fbsbx.com/a"),
        (META, "https://lookaside.fbsbx.com.evil.example/a"),
        (META, "https://evilfbsbx.com/a"),
        (META, "https://user@evil.example/a"),
        (META, "not a url"),
        (META, ""),
        (LOCAL, "https://lookaside.fbsbx.com/a"),
        (LOCAL, "http://127.0.0.1:10/a"),
        (LOCAL, "https://127.0.0.1:9/a"),
    ],
)
async def test_token_does_not_go_to_other_hosts(graph_url: str, url: str) -> None:
    client = GraphClient(graph_url, SafeClient(allow_loopback=True))
    with pytest.raises(GraphUnreachable, match="not Meta's"):
        await client.download(url, "secret-token", 10)


async def test_refused_connection_is_definite() -> None:
    client = GraphClient(LOCAL, SafeClient(allow_loopback=True))
    with pytest.raises(GraphUnreachable) as failed:
        await client.get("123", "secret-token", {"fields": "id"})
    assert "secret-token" not in f"{failed.value!r} {failed.value.__cause__!r}"
    await client.close()


def test_names_and_types_of_files_stay_in_their_header() -> None:
    form, content_type = media_form(UploadFile('a"\r\nX: y.png', "image/png\r\nX: y", b"bytes"))
    head = form.split(b"bytes")[0]
    assert b"\nX: y" not in head
    assert head.endswith(b"Content-Type: application/octet-stream\r\n\r\n")
    assert content_type.partition("boundary=")[2].encode() in head
