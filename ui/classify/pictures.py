"""A visitor's pictures on *Classify*: kept over reruns and pages, and classified once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from gpcore.data.decoding import Photo, shown_name
from gpcore.data.locations import project_folder
from gpcore.data.preparation import AUTOMATIC, Correction, Found, Prepared, prepare
from gpcore.errors import ImageError
from gpcore.figures.answer_sheets import data_url, tile_source
from gpcore.figures.crop_box import croppable
from gpcore.figures.preparation_strips import tile
from gpcore.insight.answers import Answer, answer, calibration_of, cuts_out, prepare_for
from gpcore.insight.uncertainty import Calibration
from gpcore.instance import Instance
from gpcore.runs.run import Run
from ui import shared_networks, stores
from ui.inside.computed import Snapshot
from ui.uploads import File, unpacked

THUMBNAIL = 96
"""Pixels along the longer side of a thumbnail."""


@dataclass
class Picture:
    """One picture that a visitor uploaded, or its error."""

    name: str
    photo: Photo | None = None
    error: str | None = None
    correction: Correction = AUTOMATIC
    found: Found = field(default_factory=Found)
    answers: dict[tuple[str, int], Answer] = field(default_factory=dict)
    preparations: dict[object, Prepared] = field(default_factory=dict)
    tiles: dict[int, list[np.ndarray]] = field(default_factory=dict)

    @classmethod
    def of(cls, file: File) -> "Picture":
        """A file, decoded."""
        try:
            photo = unpacked(file)
            return cls(photo.name, photo)
        except ImageError as error:
            return cls(shown_name(file.name), error=str(error))

    @cached_property
    def thumbnail(self) -> str | None:
        """A small version as a data URL; cached, since the table of all pictures is drawn at every change."""
        return data_url(self.photo.pixels, THUMBNAIL) if self.photo else None

    @cached_property
    def beneath(self) -> str:
        """The picture behind the class maps, as a data URL."""
        assert self.photo is not None
        return tile_source(self.photo.pixels)

    @cached_property
    def crop_chart(self) -> go.Figure:
        """The chart on which the visitor drags a box; it stays the same when something else changes."""
        assert self.photo is not None
        return croppable(self.photo.pixels)

    @property
    def prepared(self) -> Prepared:
        """The object cut out, with the visitor's correction."""
        assert self.photo is not None
        if self.correction not in self.preparations:
            self.preparations[self.correction] = prepare(self.photo, self.correction, self.found)
        return self.preparations[self.correction]

    def prepared_for(self, run: Run) -> Prepared:
        """Returns it as an image of a run's dataset; raises ImageError if that holds no photographs."""
        assert self.photo is not None
        if cuts_out(run):
            return self.prepared
        key = run.recipe.frozen, run.image_shape
        if key not in self.preparations:
            self.preparations[key] = prepare_for(run, self.photo)
        return self.preparations[key]

    def shown_steps(self, prepared: Prepared) -> list[np.ndarray]:
        """Returns the steps of a preparation as pictures, drawn on first use."""
        if id(prepared) not in self.tiles:
            self.tiles[id(prepared)] = [tile(step) for step in prepared.steps]
        return self.tiles[id(prepared)]

    def turn(self) -> None:
        """Turns it a quarter to the right and prepares it again, without corrections."""
        if self.photo:
            self.photo, self.found = self.photo.turned(), Found()
            self.correction = AUTOMATIC
            self.preparations.clear()
            self.answers.clear()
            self.tiles.clear()
            for name in ("thumbnail", "beneath", "crop_chart"):
                self.__dict__.pop(name, None)

    def correct(self, correction: Correction) -> None:
        """Cuts it out again with the visitor's correction."""
        if self.photo and correction != self.correction:
            self.preparations.pop(self.correction, None)
            self.correction = correction
            self.answers.clear()
            self.tiles.clear()


def brought() -> list[Picture]:
    """Returns this visitor's pictures in the order of upload."""
    return st.session_state.setdefault("pictures", [])


def bring(files: Sequence[File]) -> None:
    """Add files to the visitor's pictures, with progress."""
    pictures = brought()
    most = Instance.read().pictures  # so that many visitors fit into memory
    room = most - len(pictures)
    bar = st.progress(0.0, "Preparing …")
    for number, file in enumerate(files[:room], start=1):
        pictures.append(Picture.of(file))
        bar.progress(number / len(files), f"Prepared {number} of {len(files)}")
    bar.empty()
    if len(files) > room:
        st.session_state.too_many = f"{most} pictures are the most at a time: {len(files) - room} were left out."
    st.session_state.chosen_picture = len(pictures) - min(len(files), max(room, 0))


def answered(picture: Picture, run: Run) -> Answer:
    """Returns a run's answer to a readable picture."""
    key = Snapshot(run, run.record.epochs_done).key
    if key not in picture.answers:
        prepared = picture.prepared_for(run)
        picture.answers[key] = answer(shared_networks.network(run), calibration(run), run.classes, prepared)
    return picture.answers[key]


def calibration(run: Run) -> Calibration:
    """Returns a run's calibration; it is measured once if none is kept beside the weights."""
    return _calibration(run, Snapshot(run, run.record.epochs_done).key)


@st.cache_resource(max_entries=64, show_spinner="Calibrating this network …")
def _calibration(_run: Run, key: tuple[str, int]) -> Calibration:
    return calibration_of(_run, stores.data_folder())


def sent_on(picture: Picture, run: Run) -> dict[str, Any]:
    """Returns the picture in the form that *Inside* takes for a run."""
    return {"name": picture.name, "pixels": np.array(picture.prepared_for(run).image)}


@dataclass(frozen=True)
class Example:
    """A picture that ships with the project, as if it had been uploaded."""

    path: Path

    @property
    def name(self) -> str:
        return f"{self.path.parent.name}.webp" if self.path.suffix == ".webp" else self.path.name

    def getvalue(self) -> bytes:
        return self.path.read_bytes()


def examples() -> list[Example]:
    """The pictures that ship with the project: a photograph of every class of `clothes`, then FashionMNIST's items."""
    folders = sorted((stores.data_folder() / "clothes" / "test").glob("*/"))
    photographs = [min(folder.glob("*.webp")) for folder in folders]
    return [Example(path) for path in [*photographs, *sorted((project_folder() / "examples").glob("*.jpg"))]]
