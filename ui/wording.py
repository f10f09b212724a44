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
    """Escapes a text for Markdown: a run's title may contain anything."""
    return re.sub(r"([\\`*_{}\[\]<>()#+\-.!|~$:])", r"\\\1", text)
