"""Write captions for a recording, or for a tone of three seconds.

OPENAI_BASE_URL=http://127.0.0.1:8000/v1 OPENAI_API_KEY=cm_test_… python examples/transcription.py [talk.mp3]
"""

import array
import io
import math
import sys
import wave
from pathlib import Path

from openai import OpenAI

RATE = 8_000


def main() -> None:
    """Print the captions, which a player shows beside the recording."""
    name = sys.argv[1] if len(sys.argv) > 1 else "tone.wav"
    body = Path(name).read_bytes() if len(sys.argv) > 1 else tone(3)
    captions = OpenAI().audio.transcriptions.create(model="whisper", file=(name, body), response_format="srt")
    sys.stdout.write(captions)


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
