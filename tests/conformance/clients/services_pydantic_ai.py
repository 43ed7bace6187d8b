"""pydantic-ai, beyond text: its `Embedder`."""

from harness import Setting, expect, run
from pydantic_ai import Embedder
from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel
from pydantic_ai.providers.openai import OpenAIProvider


def embedder(setting: Setting, name: str) -> Embedder:
    """An embedder with the model of that name."""
    provider = OpenAIProvider(base_url=f"{setting.origin}/v1", api_key=setting.key)
    return Embedder(OpenAIEmbeddingModel(name, provider=provider))


async def documents(setting: Setting) -> None:
    """Several documents, shortened."""
    found = await embedder(setting, "text-embedding-3-small").embed_documents(
        ["Hello", "there"], settings={"dimensions": 64}
    )
    expect([len(each) for each in found.embeddings] == [64, 64], found)
    expect(found.usage.input_tokens > 0, found.usage)


async def query(setting: Setting) -> None:
    """One question."""
    found = await embedder(setting, "bge-m3").embed_query("Who is there?")
    expect(len(found.embeddings[0]) == 1_024, found)


if __name__ == "__main__":
    run({"embeddings: documents": documents, "embeddings: query": query}, ["pydantic-ai-slim"])
