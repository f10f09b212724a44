"""The memory of one step is the memory of the next: it stays with the process in between."""

import ctypes
import functools

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""What glibc's malloc.h calls M_TRIM_THRESHOLD and M_MMAP_THRESHOLD."""

KEPT = 256 * 2**20
"""Bytes that may lie unused before they go back to the system."""

IN_ONE_PIECE = 32 * 2**20
"""The largest size, in bytes, that glibc can be kept from asking the system for each time anew."""


@functools.cache
def keep_freed_memory() -> None:
    """Have glibc keep the maps of a layer, some megabytes, when they are freed, since the next batch needs as much again.

    By itself it may hand them back and fetch them anew, page by page: whether it does is the chance of what lies beside them,
    and where it does a step takes a fifth longer and an evaluation a half (benchmarks/speed.py memory). Without glibc nothing
    happens.
    """
    try:
        options = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    options(TRIM_THRESHOLD, KEPT)
    options(MMAP_THRESHOLD, IN_ONE_PIECE)
