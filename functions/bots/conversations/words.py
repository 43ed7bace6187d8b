"""The words of messages, by which they are searched, and their stored form.

Items of the table `words`: the partition is `<tenant>#<word>`, the sort key `<message id>#<conversation id>`. Ids of
messages sort by time, so the messages with a word are read newest first.

A word is a run of letters, digits and the marks that belong to them, in any script, without case. Languages that are
written without spaces are found by what stands between two signs of punctuation.
"""

import unicodedata
from collections.abc import Iterator

from callmissed.aws.attributes import Item
from functions.bots.conversations.messages import StoredMessage

MAX_WORDS = 200
"""Words of one message that can be searched for."""

MAX_WORD = 64
"""Characters of a word that count."""

_VARIATION_SELECTORS = frozenset(map(chr, [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]))
_IN_WORDS = frozenset("LMN")
"""Initials of Unicode's categories of letters, marks and numbers."""


def words_of(text: str) -> list[str]:
    """The distinct words of `text`, in their order."""
    return list(dict.fromkeys(word[:MAX_WORD] for word in running_words(text)))


def running_words(text: str) -> list[str]:
    """The words of `text` one after the other, folded; marks belong to the letters before them, as in Hindi."""
    return "".join(map(_letter_or_space, folded(text))).split()


def folded(text: str) -> str:
    """`text` for comparisons: without case and width, and without signs that nobody sees.

    These are joiners, marks of direction, and selectors of a symbol's variant.
    """
    seen = "".join(letter for letter in text if not _is_unseen(letter))
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold())


def word_key(tenant: str, word: str) -> str:
    """Partition of a tenant's messages with the word."""
    return f"{tenant}#{word}"


def word_items(message: StoredMessage) -> Iterator[Item]:
    """The items by which the message is found."""
    for word in words_of(message.text or "")[:MAX_WORDS]:
        yield {"word": word_key(message.tenant, word), "message": f"{message.id}#{message.conversation_id}"}


def _letter_or_space(letter: str) -> str:
    return letter if unicodedata.category(letter)[0] in _IN_WORDS else " "


def _is_unseen(letter: str) -> bool:
    return unicodedata.category(letter) == "Cf" or letter in _VARIATION_SELECTORS
