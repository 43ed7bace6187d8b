"""Embeddings without a model: hashed n-grams, so that texts with words in common get vectors that are near.

Each word, and each three letters in a row of it with its ends marked, is a feature; a token array's are its tokens and
its pairs of them. A checksum of the feature chooses a place in the vector and a sign (feature hashing, Weinberger et
al. 2009, https://arxiv.org/abs/0902.2206). Vectors have length one.
"""

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import sqrt

MODEL = "hashed-ngrams"
"""Model name in the reply: the requested model did not make these vectors."""

_WORD = re.compile(r"\w+")
_GRAM = 3


def embed(text: str | Sequence[int], dimensions: int) -> list[float]:
    """The vector of a text or of a list of tokens, of length one."""
    vector = [0.0] * dimensions
    for feature, times in Counter(_features(text)).items():
        checksum = zlib.crc32(feature.encode())
        vector[(checksum >> 1) % dimensions] += sqrt(times) if checksum & 1 else -sqrt(times)
    length = sqrt(sum(number * number for number in vector))
    if not length:  # only punctuation, or features that cancel each other out
        vector[zlib.crc32(str(text).encode()) % dimensions] = length = 1.0
    return [number / length for number in vector]


def _features(text: str | Sequence[int]) -> Iterator[str]:
    if not isinstance(text, str):
        yield from map(str, text)
        yield from (f"{first} {second}" for first, second in pairwise(text))
        return
    for word in _WORD.findall(text.casefold()):
        yield f"={word}"
        marked = f"<{word}>"
        yield from (marked[start : start + _GRAM] for start in range(len(marked) - _GRAM + 1))
