"""Which runs a report is made from."""

from collections.abc import Sequence
from pathlib import Path

from gpcore.report.parts import Source
from gpcore.runs.run import Run, open_run
from gpcore.runs.selection import counted, default_pair, first_shown
from gpcore.runs.store import Store


def collected(store: Path, also_from: Sequence[Path] | None, chosen: Sequence[str] | None, data: Path) -> Source:
    """The trained runs of a store, if it is there, and of those that count beside it; `chosen` by id or path.

    Raises:
        StoreError: a store that was named, or a chosen run, is not there.
    """
    beside = [other for other in counted(also_from) if other.folder.resolve() != store.resolve()]
    own = [Store(store, read_only=True)] if (store / "runs.db").is_file() or not beside else []
    found = first_shown(_trained(beside), _trained(own))
    runs = [open_run(name, store) for name in chosen] if chosen else _pair(found)
    return Source(list(found.values()), runs, data, store, [other.folder for other in beside])


def _trained(stores: Sequence[Store]) -> dict[str, Run]:
    return {
        f"{store.folder}/{record.id}": Run(store, record) for store in stores for record in store.runs() if record.epochs_done
    }


def _pair(found: dict[str, Run]) -> list[Run]:
    return [found[key] for key in dict.fromkeys(default_pair(found))] if found else []
