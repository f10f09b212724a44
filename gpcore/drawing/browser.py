"""The frame around a drawing in a browser: a note that follows the pointer, and a button that saves the drawing as PNG."""

from pathlib import Path

FRAME_CSS = """
.frame { position: relative; color: var(--st-text-color); font-family: var(--st-font); }
.frame button { position: absolute; top: 0; right: 0; padding: 0 6px; border: 0; border-radius: 4px; opacity: 0;
  cursor: pointer; font-size: 18px; line-height: 24px; color: inherit; background: var(--st-secondary-background-color); }
.frame:hover button, .frame button:focus-visible { opacity: 0.85; }
@media (hover: none) { .frame button { opacity: 0.6; } }
.frame .note { position: absolute; z-index: 1; padding: 2px 8px; border-radius: 4px; font-size: 12px; white-space: nowrap;
  pointer-events: none; color: var(--st-background-color); background: var(--st-text-color); }
"""


def framed(name: str, drawing: str) -> str:
    """HTML of a drawing, itself HTML, in its frame, which also has the class `name`."""
    return f"""
<div class="frame {name}">
  {drawing}
  <button type="button" title="Save as PNG" aria-label="Save as PNG">↓</button>
  <div class="note" hidden></div>
</div>
"""


def script(*names: str) -> str:
    """Returns the text of scripts of this folder, one after the other."""
    return "".join((Path(__file__).parent / name).read_text("utf-8") + "\n" for name in names)


def frame_script(own: str) -> str:
    """Returns a drawing's script, preceded by those it calls: `showNote` (frame.js) and `saveCanvas` (save.js)."""
    return script("save.js", "frame.js", own)
