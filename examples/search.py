"""Search the web, once by any provider and once for the pages of one site with their text.

OPENAI_BASE_URL=http://127.0.0.1:8000/v1 OPENAI_API_KEY=cm_test_… python examples/search.py
"""

import sys
from typing import Any

import httpx2
from openai import OpenAI


def main() -> None:
    """Print what both searches find, and what they cost."""
    client = OpenAI()
    show(search(client, query="voice agents", num_results=3))
    show(
        search(
            client,
            query="how is a webhook signed",
            mode="detailed",
            include_domains=["docs.sandbox.example"],
            include_content=True,
        )
    )


def search(client: OpenAI, **fields: Any) -> Any:
    """The answer to a search."""
    return client.post("/search", body=fields, cast_to=httpx2.Response).json()


def show(answer: Any) -> None:
    """Print the pages of an answer."""
    sys.stdout.write(f"{answer['provider']}: {answer['credits_used']} credits, {answer['latency_ms']} ms\n")
    for page in answer["results"]:
        sys.stdout.write(f"  {page['title']}  {page['url']}\n    {page['content'] or page['snippet']}\n")


if __name__ == "__main__":
    main()
