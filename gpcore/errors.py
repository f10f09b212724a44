"""Every error that a user can cause; pages and the command line show its one sentence and catch nothing wider."""


class GpcoreError(Exception):
    """Something the user can mend: the message names the value, says what is allowed and what to do."""


class RecipeError(GpcoreError):
    """A recipe holds a field, a type or a value that no run can have."""


class DatasetError(GpcoreError):
    """A dataset is missing, damaged or not what the recipe needs."""


class ImageError(GpcoreError):
    """A file is no image that can be shown to a network."""


class CheckpointError(GpcoreError):
    """Weights can't be read or written."""


class StoreError(GpcoreError):
    """The store, or a run in it, is missing, busy or damaged."""


class ClaimLostError(StoreError):
    """Another worker has taken the run over, or it was deleted: whoever held it must not write any more."""


class TrunkError(GpcoreError):
    """A pretrained network is unknown, not installed, damaged, or can't be downloaded."""


class TrainingError(GpcoreError):
    """Training can't go on, for example because the loss is no longer a number."""


class ClusterError(GpcoreError):
    """Ray is not installed, no cluster answers, or it loses what it was given."""


class InsightError(GpcoreError):
    """What is asked has no meaning for this network: class maps of a head that has none, a layer it does not have."""
