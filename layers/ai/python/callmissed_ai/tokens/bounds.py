"""Upper bounds of the tokens in a request, from its size alone."""

IMAGE_TOKENS = 6_000
"""Upper bound of the tokens that providers of the built-in catalog charge for one image."""

_REQUEST_TOKENS = 256
"""Room for tokens that providers add to a request: a default system prompt, the template of the reply."""


_INSTRUCTION_TOKENS = 1_024
"""Room for what providers write into the prompt of a request with tools or a form of the reply: an assumption."""


def max_request_tokens(text_bytes: int, images: int, *, instructed: bool = False) -> int:
    """A bound on the tokens of a request with so many bytes beside its images that no byte-level tokenizer exceeds.

    A token is at least a byte of text, and the JSON around a message is longer than any chat template adds.
    `instructed` says that the request has tools, or a form of the reply.
    """
    return text_bytes + images * IMAGE_TOKENS + (_INSTRUCTION_TOKENS if instructed else _REQUEST_TOKENS)
