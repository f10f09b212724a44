"""The layout of a folder: its pictures with class and split, and every other file with the reason why it is skipped."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import PIL.Image

from gpcore.data.decoding import formats, read_size
from gpcore.data.locations import printable, short
from gpcore.errors import DatasetError, ImageError
from gpcore.recipe import SHAPE

LITTER = {"__macosx", "thumbs.db", "desktop.ini", "@eadir"}
"""Files that operating systems create in folders, besides names that begin with a dot."""

SPLIT_NAME = re.compile(
    r"(?:(?P<train>train|training)|(?P<test>test|testing|tests)|(?P<val>val|valid|validation|eval|evaluation|dev|holdout))"
    r"(?:[ _-]?(?:set|data|dataset|split|images|pictures))?",
    re.IGNORECASE,
)

EVERY = 5
"""Without splits, every fifth picture of a class is a test picture."""

MOST_ENTRIES, MOST_DEPTH = 2_000_000, 16
"""Bounds of a folder of pictures: files and sub-folders in it, and how deep they lie."""

Item = tuple[Path, int]
"""A file and the number of its class."""


@dataclass(frozen=True)
class Passed:
    """A file that is not read: its path inside the folder, and why."""

    file: str
    why: str


@dataclass
class Layout:
    """A folder's content: the names of the classes, the training pictures and then the test pictures, and all other files."""

    folder: Path
    classes: tuple[str, ...] = ()
    train: list[Item] = field(default_factory=list)
    test: list[Item] = field(default_factory=list)
    skipped: list[Passed] = field(default_factory=list)

    @property
    def items(self) -> list[Item]:
        return self.train + self.test

    def inside(self, path: Path) -> str:
        """Returns a file's path inside the folder, for display."""
        return printable(os.path.relpath(path, self.folder))

    def skip(self, path: Path, why: str) -> None:
        """Lists a file that is not read."""
        self.skipped.append(Passed(self.inside(path), why))

    def without(self, paths: set[Path]) -> None:
        """Leaves out files, such as broken ones."""
        self.train = [item for item in self.train if item[0] not in paths]
        self.test = [item for item in self.test if item[0] not in paths]

    def counts(self) -> dict[str, dict[str, int]]:
        """Returns the training and test pictures of each class."""
        train, test = (Counter(label for _, label in items) for items in (self.train, self.test))
        return {name: {"train": train[number], "test": test[number]} for number, name in enumerate(self.classes)}


def list_folder(folder: Path) -> Layout:
    """Returns the layout of a folder of classes, or of splits; a single folder around them is skipped.

    Raises:
        DatasetError: no such folder, no classes, a class without pictures, classes that look like splits.
    """
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {short(folder)}: give the path of a folder with one sub-folder per class.")
    layout = Layout(folder)
    pictures = _pictures(layout)
    base = _without_wrapper(folder, pictures)
    children = _grouped(base, pictures)
    train, test = _split_folders(base, children)
    if train and test:
        layout.classes, layout.train = _by_class(base / train, children[train], layout)
        classes, layout.test = _by_class(base / test, children[test], layout)
        if classes != layout.classes:
            ours, theirs = ", ".join(layout.classes), ", ".join(classes)
            raise DatasetError(f"{short(base)}: {train}/ has the classes {ours}, {test}/ has {theirs}.")
    else:
        _refuse_splits(base, children)
        layout.classes, items = _by_class(base, pictures, layout)
        for number in range(len(layout.classes)):
            own = [item for item in items if item[1] == number]
            layout.test += own[EVERY - 1 :: EVERY]
        tested = set(layout.test)
        layout.train = [item for item in items if item not in tested]
    if len(layout.classes) < 2:
        raise DatasetError(
            f"{short(folder)} has the one class {layout.classes[0]}: give at least two sub-folders with images of a class each."
        )
    taken = {path for path, _ in layout.items}
    for path in pictures:
        if path not in taken:
            further = train and path.is_relative_to(base) and _split(path.relative_to(base).parts[0])
            outside = "lies outside the folders of the classes"
            layout.skip(path, f"belongs to a further split: {train}/ is trained on, {test}/ tested on" if further else outside)
    return layout


def _pictures(layout: Layout) -> list[Path]:
    """The files that are pictures, or claim to be, each once, in the order of their names; the others are skipped."""
    taken: set[tuple[int, int] | None] = set()
    found = []
    for path in sorted(_files(layout), key=os.path.islink):  # a file comes before links to it
        if any(part.startswith(".") or part.lower() in LITTER for part in path.relative_to(layout.folder).parts):
            layout.skip(path, "is hidden, or a system's own file")
        elif path.exists() and not path.is_file():
            layout.skip(path, "is not a regular file")  # to open a pipe would wait for its writer
        elif not _is_picture(path):
            layout.skip(path, "is not a picture")
        elif (identity := _identity(path)) in taken:
            layout.skip(path, "is the same file as another one, which is read")
        else:
            taken |= {identity} if identity else set()
            found.append(path)
    return sorted(found, key=lambda path: (str(path.parent), path.name))


def _files(layout: Layout) -> Iterator[Path]:
    """All files, through links to folders too, but no folder twice."""
    real, entries = set(), 0
    for root, folders, files in os.walk(layout.folder):
        real.add(_identity(Path(root)))
        entries += len(folders) + len(files)
        _check_bounds(layout, root, entries)
    for root, folders, files in os.walk(layout.folder, followlinks=True, onerror=lambda error: _closed(layout, error)):
        _check_bounds(layout, root, 0)
        for name in sorted(folders):
            path = Path(root, name)
            if path.is_symlink() and (identity := _identity(path)) in real:
                layout.skip(path, "is a link to a folder that is read already")
                folders.remove(name)
            elif path.is_symlink():
                real.add(identity)
        yield from (Path(root, name) for name in files)


def _check_bounds(layout: Layout, root: str, entries: int) -> None:
    """Raises DatasetError for what is no folder of pictures, such as `/`, before all of it is read."""
    if entries > MOST_ENTRIES or len(Path(root).relative_to(layout.folder).parts) > MOST_DEPTH:
        raise DatasetError(
            f"{short(layout.folder)} holds more than {MOST_ENTRIES:,} files, or folders more than {MOST_DEPTH} deep: give the "
            "folder that holds the pictures."
        )


def _closed(layout: Layout, error: OSError) -> None:
    layout.skip(Path(os.fsdecode(error.filename)), f"can't be opened ({error.strerror})")


def _identity(path: Path) -> tuple[int, int] | None:
    """Returns a file's identity, the same for all its names; None for a link to nothing."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_picture(path: Path) -> bool:
    """Returns whether a file is a picture by its name, or by its content if the name does not decide."""
    formats()
    if PIL.Image.EXTENSION.get(path.suffix.lower()) in formats():
        return True
    try:
        return bool(read_size(path))
    except ImageError:
        return False


def _folders(base: Path) -> list[str]:
    names = [entry.name for entry in os.scandir(base) if entry.is_dir()]
    return sorted(name for name in names if not name.startswith(".") and name.lower() not in LITTER)


def _grouped(base: Path, pictures: Iterable[Path]) -> dict[str, list[Path]]:
    """The pictures below each folder in `base`, empty folders too."""
    found: dict[str, list[Path]] = {name: [] for name in _folders(base)}
    for path in pictures:
        parts = path.relative_to(base).parts if path.is_relative_to(base) else ()
        if len(parts) > 1:
            found[parts[0]].append(path)
    return found


def _deep(base: Path, children: dict[str, list[Path]]) -> dict[str, list[Path]]:
    """Those of the folders that hold pictures in further folders only."""
    return {name: paths for name, paths in children.items() if paths and all(path.parent != base / name for path in paths)}


def _without_wrapper(folder: Path, pictures: Sequence[Path]) -> Path:
    """The folder, or the only one in it, where that holds further folders and no picture of its own."""
    children = {name: paths for name, paths in _grouped(folder, pictures).items() if paths}
    return folder / next(iter(children)) if len(children) == 1 and _deep(folder, children) else folder


def _split(name: str) -> str | None:
    found = SPLIT_NAME.fullmatch(name)
    return found.lastgroup if found else None


def _split_folders(base: Path, children: dict[str, list[Path]]) -> tuple[str, str] | tuple[None, None]:
    """The folders of the training and of the test pictures, if both are there."""
    usable = _deep(base, children)
    train, test, val = ([name for name in usable if _split(name) == kind] for kind in ("train", "test", "val"))
    return (train[0], (test + val)[0]) if train and test + val else (None, None)


def _refuse_splits(base: Path, children: dict[str, list[Path]]) -> None:
    """DatasetError where the folders are more likely splits than classes."""
    filled = {name: paths for name, paths in children.items() if paths}
    deep = _deep(base, children)
    inner = {tuple(sorted({path.relative_to(base / name).parts[0] for path in paths})) for name, paths in deep.items()}
    same_inside = len(deep) > 1 and deep == filled and len(inner) == 1 and len(next(iter(inner))) > 1
    named = [name for name in filled if _split(name)]
    if same_inside or (len(filled) > 1 and len(named) == len(filled)) or any(name in deep for name in named):
        raise DatasetError(
            f"The folders {', '.join(map(printable, filled))} in {short(base)} look like splits, not like classes: "
            f"arrange the pictures as {SHAPE}."
        )


def _by_class(base: Path, pictures: Sequence[Path], layout: Layout) -> tuple[tuple[str, ...], list[Item]]:
    """The classes in a folder, and its pictures with their labels, by class and name."""
    of_class = _grouped(base, pictures)
    names = list(of_class)
    if missing := [printable(name) for name, paths in of_class.items() if not paths]:
        raise DatasetError(
            f"{short(base)} is not a folder of images with one sub-folder per class: {', '.join(missing)} holds no picture; "
            "remove it, or put pictures into it."
        )
    if not names:
        raise DatasetError(
            f"{short(base)} is not a folder of images with one sub-folder per class: it has no sub-folder; arrange the "
            f"pictures as {SHAPE}."
        )
    items = [(path, number) for number, paths in enumerate(of_class.values()) for path in paths]
    return tuple(printable(name) for name in names), items
