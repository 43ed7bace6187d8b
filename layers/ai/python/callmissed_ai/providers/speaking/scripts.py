"""The language of a text by its script, for those that speak and have to know it."""

import re

_SCRIPTS = tuple(
    (re.compile(pattern), language)
    for pattern, language in (
        ("[\u0900-\u097f]", "hi"),
        ("[\u0980-\u09ff]", "bn"),
        ("[\u0a00-\u0a7f]", "pa"),
        ("[\u0a80-\u0aff]", "gu"),
        ("[\u0b00-\u0b7f]", "od"),
        ("[\u0b80-\u0bff]", "ta"),
        ("[\u0c00-\u0c7f]", "te"),
        ("[\u0c80-\u0cff]", "kn"),
        ("[\u0d00-\u0d7f]", "ml"),
    )
)
"""Scripts of India with the language that most texts in each are in; `od` is Sarvam's code of Odia."""


def language_of(text: str) -> str | None:
    """The language of the first of these scripts that is in the text; None where none is."""
    return next((language for script, language in _SCRIPTS if script.search(text)), None)
