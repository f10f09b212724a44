"""A gallery of small images with two lines under each, in which a click opens an image."""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import PIL.Image
import streamlit as st
from jaxtyping import UInt8
from torch import Tensor

CSS = """
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); gap: 10px; }
.gallery button { all: unset; cursor: pointer; padding: 6px; border-radius: 8px; font-size: 12px; line-height: 1.35;
  font-family: var(--st-font); color: var(--st-text-color); background: var(--st-secondary-background-color); }
.gallery button:hover, .gallery button:focus-visible { outline: 2px solid var(--st-primary-color); }
.gallery img { width: 100%; image-rendering: pixelated; border-radius: 4px; display: block; margin-bottom: 4px; }
.gallery b { display: block; }
.gallery button[aria-pressed=true] { outline: 3px solid var(--st-primary-color); }
.gallery.strip { display: flex; gap: 4px; overflow-x: auto; padding: 4px; }
.gallery.strip button { flex: 1 0 40px; min-width: 0; padding: 3px; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; font-size: 11px; text-align: center; }
.gallery.strip img { aspect-ratio: 1; }
"""

JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  const gallery = parentElement.querySelector(".gallery");
  gallery.classList.toggle("strip", data.strip);
  gallery.style.gridTemplateColumns = data.columns ? `repeat(${data.columns}, 1fr)` : "";
  const focused = [...gallery.children].indexOf(gallery.getRootNode().activeElement);
  gallery.replaceChildren(...data.items.map((item) => {
    const button = document.createElement("button");
    const picture = Object.assign(document.createElement("img"), { src: item.source, alt: "" });
    const title = Object.assign(document.createElement("b"), { textContent: item.title });
    const lines = item.lines.map((line) => Object.assign(document.createElement("div"), { textContent: line }));
    button.append(picture, title, ...lines);
    if (data.chosen !== null) button.setAttribute("aria-pressed", data.chosen === item.index);
    button.onclick = () => setTriggerValue("opened", item.index);
    return button;
  }));
  gallery.children[focused]?.focus();
}
"""

_mounted = st.components.v2.component("poolscope_gallery", html='<div class="gallery"></div>', css=CSS, js=JS)


@dataclass(frozen=True)
class Item:
    """One image (channels, height, width) with a title and lines below; `index` is what a click reports."""

    index: int
    pixels: UInt8[Tensor, "channels height width"]
    title: str
    lines: Sequence[str]


def show_gallery(
    items: Sequence[Item],
    key: str,
    on_open: Callable[[int], None],
    chosen: int | None = None,
    strip: bool = False,
    columns: int | None = None,
) -> None:
    """All items in one component; a click calls `on_open` with the item's index before the page runs again.

    A `strip` has one row, with the `chosen` item marked; else `columns` says how many a row has, and by default they fill it.
    """

    def opened() -> None:
        index = st.session_state[key].opened
        if index is not None:
            on_open(int(index))

    shown = [
        {"index": item.index, "source": _source(item.pixels), "title": item.title, "lines": list(item.lines)} for item in items
    ]
    _mounted(data={"items": shown, "chosen": chosen, "strip": strip, "columns": columns}, key=key, on_opened_change=opened)


def _source(pixels: UInt8[Tensor, "channels height width"]) -> str:
    """An image as a data URL."""
    array = pixels.permute(1, 2, 0).numpy()
    file = io.BytesIO()
    PIL.Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array).save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
