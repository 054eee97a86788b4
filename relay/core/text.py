"""Whether text is text, wherever it came from."""


def is_text(value: str) -> bool:
    """Whether `value` can be written in UTF-8.

    Bytes that are no UTF-8 come as lone surrogates (PEP 383), from a command line for example.
    """
    return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)
