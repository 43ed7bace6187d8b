"""Draw images with the official SDK, and list what the key has drawn before.

OPENAI_BASE_URL=http://127.0.0.1:8000/v1 OPENAI_API_KEY=cm_test_… python examples/images.py
"""

import base64
import os
import sys
from pathlib import Path
from tempfile import mkdtemp

import httpx2
from openai import OpenAI


def main() -> None:
    """Draw two images into a new folder, then list the newest ones."""
    client = OpenAI()
    model = os.environ.get("IMAGE_MODEL", "sandbox-image")
    drawn = client.images.generate(model=model, prompt="A lighthouse at dusk", n=2, size="256x256")
    folder = Path(mkdtemp(prefix="images-"))
    for number, image in enumerate(drawn.data or []):
        path = folder / f"{number}.png"
        path.write_bytes(base64.b64decode(image.b64_json or ""))
        sys.stdout.write(f"{path}\n")

    history = client.get("/images/history", cast_to=httpx2.Response, options={"params": {"limit": 2}})
    for past in history.json()["data"]:
        sys.stdout.write(f"{past['created']} {past['model']} {past['prompt']}\n")


if __name__ == "__main__":
    main()
