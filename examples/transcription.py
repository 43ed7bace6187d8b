"""Write captions for a recording, or for a tone of three seconds: once sent with the call, once as a stored file.

OPENAI_BASE_URL=http://127.0.0.1:8000/v1 OPENAI_API_KEY=cm_test_… python examples/transcription.py [talk.mp3]
"""

import array
import io
import math
import sys
import wave
from pathlib import Path
from typing import Any

import httpx2
from openai import OpenAI

RATE = 8_000
PURPOSE: Any = "audio"
"""A purpose that the SDK's types don't have."""


def main() -> None:
    """Print the captions, which a player shows beside the recording."""
    name = sys.argv[1] if len(sys.argv) > 1 else "tone.wav"
    body = Path(name).read_bytes() if len(sys.argv) > 1 else tone(3)
    client = OpenAI()
    captions = client.audio.transcriptions.create(model="whisper", file=(name, body), response_format="srt")
    sys.stdout.write(f"{captions}\nof the stored file:\n\n{captions_of_stored(client, name, body)}")


def captions_of_stored(client: OpenAI, name: str, body: bytes) -> str:
    """Captions of a stored file, which may have up to 25 MB; files.py shows how one above 4 MB is uploaded."""
    file = client.files.create(file=(name, body), purpose=PURPOSE)
    asked = {"model": "whisper", "file_id": file.id, "response_format": "srt"}
    captions = client.post("/audio/transcriptions", body=asked, cast_to=httpx2.Response).text
    client.files.delete(file.id)
    return captions


def tone(seconds: int) -> bytes:
    """A WAV file."""
    samples = array.array("h", (round(9_000 * math.sin(n / RATE * 440 * math.tau)) for n in range(seconds * RATE)))
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes(samples.tobytes())
    return file.getvalue()


if __name__ == "__main__":
    main()
