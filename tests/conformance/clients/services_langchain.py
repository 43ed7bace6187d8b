"""LangChain, beyond text: `OpenAIEmbeddings`, which sends lists of tokens by default."""

import asyncio
import os
from hashlib import sha1
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from harness import Setting, expect, run
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_openai import OpenAIEmbeddings

TEXTS = [f"The lighthouse has {number} steps." for number in range(130)]
_TIKTOKENS_ADDRESS = b"https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken"
_VOCABULARY = Path(__file__).parents[3] / "layers/ai/python/callmissed_ai/tokens/cl100k_base.tiktoken"


def model(setting: Setting, name: str = "text-embedding-3-small", **more: object) -> OpenAIEmbeddings:
    """The embeddings of that name; LangChain sends 1,000 texts at once where `chunk_size` does not say less."""
    options = {"max_retries": 0, "chunk_size": 128, **more}
    return OpenAIEmbeddings(model=name, base_url=f"{setting.origin}/v1", api_key=setting.key, **options)


def tokens(setting: Setting) -> None:
    """By default it counts tokens and sends them."""
    many = model(setting).embed_documents(TEXTS)
    expect([len(each) for each in many] == [1_536] * 130, len(many))
    expect(all(one != other for one, other in pairwise(many)), "two texts have one vector")
    expect(len(model(setting, dimensions=64).embed_query(TEXTS[0])) == 64, "dimensions")


def texts(setting: Setting) -> None:
    """Models of others read texts."""
    many = model(setting, "bge-m3", check_embedding_ctx_length=False).embed_documents(TEXTS)
    expect([len(each) for each in many] == [1_024] * 130, len(many))


def many_at_once(setting: Setting) -> None:
    """Its own number of texts at once is refused."""
    try:
        model(setting, "bge-m3", check_embedding_ctx_length=False, chunk_size=1_000).embed_documents(TEXTS)
    except Exception as error:
        expect("'input'" in str(error) and "128" in str(error), error)
    else:
        expect(False, "130 texts at once were taken")


def tokens_for_others(setting: Setting) -> None:
    """Tokens are those of OpenAI's models."""
    try:
        model(setting, "bge-m3").embed_query("Hello")
    except Exception as error:
        expect("takes texts" in str(error), error)
    else:
        expect(False, "tokens were taken")


def store(setting: Setting) -> None:
    """A store of vectors finds a text that was put in."""
    found = InMemoryVectorStore.from_texts(TEXTS[:20], model(setting)).similarity_search(TEXTS[7], k=1)
    expect(found[0].page_content == TEXTS[7], found)


def concurrently(setting: Setting) -> None:
    """Its coroutines."""

    async def embedded() -> list[list[float]]:
        return await model(setting, "sandbox-embedding", check_embedding_ctx_length=False).aembed_documents(TEXTS[:3])

    expect(len(asyncio.run(embedded())) == 3, "three texts")


SCENARIOS = {
    "embeddings: tokens": tokens,
    "embeddings: texts": texts,
    "embeddings: too many at once": many_at_once,
    "embeddings: tokens for others": tokens_for_others,
    "embeddings: vector store": store,
    "embeddings: coroutines": concurrently,
}

if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        Path(folder, sha1(_TIKTOKENS_ADDRESS).hexdigest()).symlink_to(_VOCABULARY)
        os.environ["TIKTOKEN_CACHE_DIR"] = folder
        run(SCENARIOS, ["langchain-openai", "langchain-core"])
