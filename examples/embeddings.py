"""Rank documents by how near their meaning is to a question's.

OPENAI_BASE_URL=http://127.0.0.1:8000/v1 OPENAI_API_KEY=cm_test_… python examples/embeddings.py
"""

import os
import sys

from openai import OpenAI

DOCUMENTS = (
    "Refunds are paid within seven days of the return of the order.",
    "Our shop in Pune is open from nine to six.",
    "धनवापसी सात दिनों में की जाती है।",
)


def main() -> None:
    """Print the documents, the nearest first."""
    client, model = OpenAI(), os.environ.get("EMBEDDING_MODEL", "sandbox-embedding")
    (question,) = embed(client, model, ["How long does a refund of my order take?"], "query")
    documents = embed(client, model, DOCUMENTS, "passage")
    scores = [sum(a * b for a, b in zip(question, each, strict=True)) for each in documents]
    for score, text in sorted(zip(scores, DOCUMENTS, strict=True), reverse=True):
        sys.stdout.write(f"{score:.3f}  {text}\n")


def embed(client: OpenAI, model: str, texts: "tuple[str, ...] | list[str]", kind: str) -> list[list[float]]:
    """One vector for each text. `input_type` is for models that distinguish questions from documents."""
    answer = client.embeddings.create(model=model, input=list(texts), extra_body={"input_type": kind})
    return [each.embedding for each in answer.data]


if __name__ == "__main__":
    main()
