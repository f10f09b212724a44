"""Every error that a user can cause; pages and the command line show its one sentence and catch no other errors."""


class GpcoreError(Exception):
    """An error that the user can fix: its message names the value, what is allowed and what to do."""


class RecipeError(GpcoreError):
    """A recipe holds a field, a type or a value that no run can have."""


class DatasetError(GpcoreError):
    """A dataset is missing, damaged or not what the recipe needs."""


class ImageError(GpcoreError):
    """A file is not an image that a network can classify."""


class CheckpointError(GpcoreError):
    """Weights can't be read or written."""


class StoreError(GpcoreError):
    """The store, or a run in it, is missing, busy or damaged."""


class NotAllowedError(GpcoreError):
    """Visitors of this instance may not do that, or its limits have no room for it."""


class SettingsError(GpcoreError):
    """The instance's settings hold an unknown name or a value that is not allowed."""


class ClaimLostError(StoreError):
    """Another worker has taken over the run, or it was deleted: the former worker must stop writing."""


class TrunkError(GpcoreError):
    """A pretrained network is unknown, not installed, damaged, or can't be downloaded."""


class TrainingError(GpcoreError):
    """Training can't go on, for example because the loss is no longer a number."""


class ClusterError(GpcoreError):
    """Ray is not installed, no cluster answers, or it lost a task."""


class InsightError(GpcoreError):
    """The network can't answer the request: it has no class maps, or no such layer."""


OUT_OF_MEMORY = "The memory ran out: bring the pictures to a smaller --size, take fewer of them, or a smaller batch_size."


def ran_out_of_memory(error: BaseException) -> bool:
    """Returns whether an error is Python's or PyTorch's way to say that the memory ran out."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text
