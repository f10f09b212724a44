"""Predict, then reveal: answers are hidden until requested, and a tally counts who was right."""

from dataclasses import dataclass, replace

import streamlit as st

from ui.inside.view_state import Scene

TALLY = "tally"
"""The key of the counts in the link: questions, and how often the audience and each network were right."""


@dataclass(frozen=True)
class Tally:
    """The number of questions, and how many of them the audience and each network answered right."""

    asked: int = 0
    guessed: int = 0
    first: int = 0
    second: int = 0

    @classmethod
    def of_link(cls) -> "Tally":
        """Returns the counts in the link, or zeros."""
        numbers = st.query_params.get(TALLY, "").split("-")
        return cls(*map(int, numbers)) if len(numbers) == 4 and all(map(str.isdecimal, numbers)) else cls()

    def words(self, names: list[str]) -> str:
        """For example `Guessed 14 of 20, GAP 16, GMP 15`."""
        return f"Guessed {self.guessed} of {self.asked}, {names[0]} {self.first}, {names[1]} {self.second}"


def switch() -> bool:
    """Shows the switch that hides answers; it is in the link, so that a link can ask a question."""
    return st.toggle("Predict first", key="predict", bind="query-params", help="Hides all answers until the space bar")


def ask(scene: Scene) -> bool:
    """Asks for a guess and reveals the answer; returns whether it is still hidden."""
    state, question = st.session_state, (scene.picked.title, *(snapshot.key for snapshot in scene.snapshots))
    tally = Tally.of_link()
    hidden = state.get("revealed") != question
    classes = scene.dataset.classes
    with st.container(horizontal=True, vertical_alignment="center", key="prediction"):
        st.pills("What is it?", classes, key="guess", label_visibility="collapsed", disabled=not hidden, wrap=True)

        def reveal() -> None:
            state.revealed = question
            if state.guess and scene.picked.actual is not None:
                st.query_params[TALLY] = _encoded(_counted(tally, scene, classes.index(state.guess)))

        def go_on() -> None:
            state.guess, state.image = None, (state.get("image", 0) + 1) % len(scene.dataset.test)

        title, icon, action = ("Reveal", "visibility", reveal) if hidden else ("Next image", "chevron_right", go_on)
        st.button(title, icon=f":material/{icon}:", type="primary", shortcut="Space", on_click=action, key=title)
        if tally.asked:
            st.caption(tally.words(scene.names))
    return hidden


def _counted(tally: Tally, scene: Scene, guess: int) -> Tally:
    right = [answer == scene.picked.actual for answer in (guess, *(look.answer for look in scene.looks))]
    return replace(
        tally,
        asked=tally.asked + 1,
        guessed=tally.guessed + right[0],
        first=tally.first + right[1],
        second=tally.second + right[2],
    )


def _encoded(tally: Tally) -> str:
    return "-".join(map(str, (tally.asked, tally.guessed, tally.first, tally.second)))
