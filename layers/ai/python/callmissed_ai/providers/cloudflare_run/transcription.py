"""Cloudflare's Whisper, which takes Base64 in JSON, and its Nova-3, which takes the file with a query as Deepgram does.

https://developers.cloudflare.com/workers-ai/models/whisper-large-v3-turbo/
https://developers.cloudflare.com/workers-ai/models/nova-3/
"""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from callmissed.errors import invalid_request
from callmissed_ai.audio.fields import DEEPGRAM_FIELDS
from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.providers.deepgram.transcription import settings, transcript
from callmissed_ai.providers.json_api import JsonTransport
from callmissed_ai.providers.transcripts import member, objects, refuse, refuse_formats
from callmissed_ai.transports.base import Transport, UpstreamCall
from callmissed_ai.transports.paths import TRANSLATIONS

_NAME = "cloudflare_run"
_DEEPGRAM = "/deepgram/"


class CloudflareTranscription:
    """Implements `NativeApi` and `JsonApi`."""

    def check(self, call: UpstreamCall) -> None:
        """See `NativeApi.check`."""
        refuse(call, _NAME, ["stream", "temperature", "include", "chunking_strategy"])
        if _is_nova(call):
            if call.path == TRANSLATIONS:
                raise invalid_request("This model does not translate.", "model", "unsupported_field")
            if call.json["mode"] != "transcribe":
                refuse(call, _NAME, ["mode"])
            refuse(call, _NAME, ["prompt"])
            return
        if call.json["mode"] not in ("transcribe", "translate"):
            refuse(call, _NAME, ["mode"])
        refuse_formats(call, _NAME, ["diarized_json"])
        refuse(call, _NAME, ["diarize", *DEEPGRAM_FIELDS])

    def transport(self, http: Transport) -> Transport:
        """See `NativeApi.transport`."""
        return JsonTransport(self, http)

    def request(self, call: UpstreamCall) -> UpstreamCall:
        """See `JsonApi.request`."""
        asked, path = call.json, f"/{call.json['model']}"
        if _is_nova(call):
            headers = {"Content-Type": asked["file"].media_type}
            return UpstreamCall(f"{path}?{urlencode(list(settings(asked)))}", asked["file"].content, headers=headers)
        translates = call.path == TRANSLATIONS or asked["mode"] == "translate"
        body = {
            "audio": base64.b64encode(asked["file"].content).decode(),
            "task": "translate" if translates else "transcribe",
        }
        if asked.get("language") and not translates:
            body["language"] = asked["language"].split("-")[0].lower()
        if asked.get("prompt"):
            body["initial_prompt"] = asked["prompt"]
        return UpstreamCall(path, body)

    def reply(self, call: UpstreamCall, reply: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `JsonApi.reply`."""
        result = member(reply, "result")
        if _is_nova(call):
            return transcript(result)
        if not isinstance(result.get("text"), str):
            raise UnusableReply("no text")
        info, segments = member(result, "transcription_info"), objects(result.get("segments"))
        return {
            "text": result["text"],
            "language": info.get("language"),
            "duration": info.get("duration"),
            "segments": [{name: value for name, value in each.items() if name != "words"} for each in segments],
            "words": [word for each in segments for word in objects(each.get("words"))],
        }


def _is_nova(call: UpstreamCall) -> bool:
    return _DEEPGRAM in call.json["model"]
