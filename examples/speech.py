"""Speak a sentence, into a file if one is named.

OPENAI_BASE_URL=http://127.0.0.1:8000/v1 OPENAI_API_KEY=cm_test_… python examples/speech.py [hello.mp3]
"""

import sys
from pathlib import Path

from openai import OpenAI


def main() -> None:
    """Take the audio as it is made."""
    with OpenAI().audio.speech.with_streaming_response.create(
        model="bulbul:v3",
        voice="shubh",
        input="Your order has left our warehouse.",
        extra_body={"language": "en-IN"},
    ) as speech:
        audio = b"".join(speech.iter_bytes())
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_bytes(audio)
    sys.stdout.write(f"{len(audio):,} bytes of {speech.headers['content-type']}\n")


if __name__ == "__main__":
    main()
