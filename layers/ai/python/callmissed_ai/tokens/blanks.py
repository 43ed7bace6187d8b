"""Texts of which nothing is to be seen."""


def is_blank(text: str) -> bool:
    """Whether `text` has nothing but blanks, control characters and others that are not printed."""
    return not any(each.isprintable() and not each.isspace() for each in text)
