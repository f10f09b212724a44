"""Keeps the memory of one step for the next instead of returning it to the system."""

import ctypes
import functools

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's malloc.h."""

KEPT = 256 * 2**20
"""Bytes that may be unused before they are returned to the system."""

IN_ONE_PIECE = 32 * 2**20
"""The largest block, in bytes, that glibc can be set to reuse."""


@functools.cache
def keep_freed_memory() -> None:
    """Makes glibc keep the freed memory of a layer's maps, some megabytes, since the next batch needs as much.

    By default it may return the memory and fetch it again, page by page, depending on what is beside it. Then a step takes a
    fifth longer and an evaluation a half (benchmarks/speed.py memory). Without glibc this function does nothing.
    """
    try:
        options = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    options(TRIM_THRESHOLD, KEPT)
    options(MMAP_THRESHOLD, IN_ONE_PIECE)
