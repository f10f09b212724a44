/** Shows a note beside a point of a frame, in pixels from its upper left corner; without a text, hides it. */
function showNote(frame, text, across, down) {
  const note = frame.querySelector(".note");
  note.textContent = text ?? "";
  note.hidden = !text;
  note.style.left = `${Math.max(0, Math.min(frame.clientWidth - note.offsetWidth, across + 12))}px`;
  note.style.top = `${down + 18}px`;
}

