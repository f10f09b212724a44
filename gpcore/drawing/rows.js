// Puts an SVG on the page, shows its marks' notes under the pointer, and saves it as PNG.

const SAVED_SCALE = 3;

/** Turns titles into our own notes: a browser shows a title after a second, and on a touch screen never. */
function takeTitles(drawing) {
  for (const title of drawing.querySelectorAll("title")) {
    title.parentElement.dataset.note = title.textContent;
    title.remove();
  }
}

async function save(drawing, name) {
  const shown = drawing.querySelector("svg");
  const [around, inside] = [drawing.getBoundingClientRect(), shown.getBoundingClientRect()];
  const copy = shown.cloneNode(true);
  for (const side of ["width", "height"]) copy.setAttribute(side, inside[side]);
  copy.setAttribute("x", inside.left - around.left);
  // A picture has no fonts but the system's, and no text around it whose colour it could take.
  copy.setAttribute("style", `overflow: visible; font-family: sans-serif; color: ${getComputedStyle(drawing).color}`);
  const whole = document.createElementNS(copy.namespaceURI, "svg");
  whole.setAttribute("viewBox", `0 0 ${around.width} ${inside.height}`);
  whole.append(copy);
  const size = { width: Math.round(SAVED_SCALE * around.width), height: Math.round(SAVED_SCALE * inside.height) };
  for (const side of ["width", "height"]) whole.setAttribute(side, size[side]);
  const source = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(whole))}`;
  const picture = Object.assign(new Image(), { src: source });
  await picture.decode();
  const canvas = Object.assign(document.createElement("canvas"), size);
  const context = canvas.getContext("2d");
  context.fillStyle = groundOf(drawing);
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  saveCanvas(canvas, name);
}

export default function ({ data, parentElement }) {
  const drawing = parentElement.querySelector(".drawing");
  if (drawing.svg === data.svg) return;
  drawing.svg = data.svg;
  drawing.querySelector(".shown").innerHTML = data.svg;
  takeTitles(drawing);
  drawing.onpointermove = drawing.onpointerdown = ({ target, clientX, clientY }) => {
    const { left, top } = drawing.getBoundingClientRect();
    showNote(drawing, target.dataset.note, clientX - left, clientY - top);
  };
  drawing.onpointerleave = () => showNote(drawing);
  drawing.querySelector("button").onclick = () => save(drawing, data.name);
}
