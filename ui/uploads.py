"""Visitors' pictures, unpacked one at a time, since one may take a hundred megabytes."""

import threading
from typing import Protocol

from gpcore.data.decoding import Photo, decode

_unpacking = threading.Lock()


class File(Protocol):
    """A file from one of Streamlit's widgets, or an example: a name and bytes."""

    @property
    def name(self) -> str: ...

    def getvalue(self) -> bytes: ...


def unpacked(file: File) -> Photo:
    """Returns the picture in a file; raises ImageError as `decode` does."""
    with _unpacking:
        return decode(file.getvalue(), file.name)
