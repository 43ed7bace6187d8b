"""Transcribe a file into captions, with the OpenAI SDK.

    CALLMISSED_BASE_URL=http://127.0.0.1:8000/v1 CALLMISSED_API_KEY=cm_test_… python examples/transcription.py talk.wav

`make dev` prints a URL and keys. A test key is heard by the sandbox, which costs nothing.
"""

import os
import sys
from pathlib import Path

from openai import OpenAI

client = OpenAI(base_url=os.environ["CALLMISSED_BASE_URL"], api_key=os.environ["CALLMISSED_API_KEY"])

print(client.audio.transcriptions.create(model="whisper", file=Path(sys.argv[1]), response_format="srt"))
