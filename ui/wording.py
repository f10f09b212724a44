"""Times and titles as text for pages."""

import re


def duration(seconds: float) -> str:
    """Returns a duration as text: `42 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def plain(text: str) -> str:
    r"""A text as it is, where Markdown would be read: a title, a dataset's name or a sentence about one may hold anything.

    >>> plain("[log in](http://elsewhere) :red[now]")
    '\\[log in\\](http:\u2060//elsewhere) \\:red\\[now\\]'
    """
    escaped = re.sub(r"([\\`*\[\]<>$~|#{}]|(?<!\w)_|_(?!\w)|:(?=\w))", r"\\\1", text)
    return re.sub(r"(?i)(https?:|www)(?=//|\.)", "\\1\u2060", escaped)  # or an address would become a link by itself


def cell(value: object) -> object:
    """A value for a CSV file: text that a spreadsheet would take for a formula gets an apostrophe in front."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
