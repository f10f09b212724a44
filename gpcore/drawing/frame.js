/** Says something beside a point of a frame, in pixels from its upper left corner; or takes the note away. */
function tell(frame, said, across, down) {
  const note = frame.querySelector(".note");
  note.textContent = said ?? "";
  note.hidden = !said;
  note.style.left = `${Math.max(0, Math.min(frame.clientWidth - note.offsetWidth, across + 12))}px`;
  note.style.top = `${down + 18}px`;
}

