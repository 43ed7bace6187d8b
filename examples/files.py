"""Upload a small file through the SDK and a large one through S3, read both, delete both.

CALLMISSED_API_KEY=cm_test_… python examples/files.py
"""

import os

import httpx2
from openai import OpenAI

BASE_URL = os.environ.get("CALLMISSED_BASE_URL", "http://127.0.0.1:8000/v1")
LARGE = b"a line of a large file\n" * 250_000


def main() -> None:
    """Use files in both ways."""
    client = OpenAI(base_url=BASE_URL, api_key=os.environ["CALLMISSED_API_KEY"])

    small = client.files.create(file=("hello.txt", b"Hello"), purpose="user_data")
    print(small.id, small.status, client.files.content(small.id).text)

    large_id = upload_large(client, "large.txt", LARGE)
    large = client.files.wait_for_processing(large_id)
    print(large.id, large.status, len(client.files.content(large.id).read()))

    for file in client.files.list(purpose="user_data"):
        print("delete", file.filename, client.files.delete(file.id).deleted)


def upload_large(client: OpenAI, filename: str, body: bytes) -> str:
    """Announce a file, then send its bytes to the form in the answer; returns its id."""
    announced = {"filename": filename, "bytes": len(body), "purpose": "user_data"}
    file = client.post("/files", body=announced, cast_to=httpx2.Response).json()
    form = file["upload"]
    sent = httpx2.post(form["url"], data=form["fields"], files={"file": (filename, body)}, timeout=600)
    sent.raise_for_status()
    return file["id"]


if __name__ == "__main__":
    main()
