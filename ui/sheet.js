// Draws a sheet (gpcore/figures/sheet.py) on a canvas, tells the value under the pointer, and saves the drawing as PNG.

const SAVED_SCALE = 3;

function decoded(text) {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let place = 0; place < characters.length; place++) bytes[place] = characters.charCodeAt(place);
  return bytes.buffer;
}

/** The sheet with its values as numbers and every matrix as a small picture, one pixel for each cell. */
function unpacked(data) {
  const palettes = Object.fromEntries(
    Object.entries(data.palettes).map(([scale, colours]) => [scale, new Uint32Array(decoded(colours))]),
  );
  const matrices = data.matrices.map((matrix) => {
    const values = new Float32Array(decoded(matrix.values));
    return { ...matrix, values, picture: coloured(matrix, values, palettes[matrix.scale]) };
  });
  return { ...data, matrices };
}

function coloured({ rows, columns, low, high }, values, palette) {
  const image = new ImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  const steps = 255 / (high - low);
  for (let cell = 0; cell < values.length; cell++) {
    pixels[cell] = palette[Math.max(0, Math.min(255, Math.round((values[cell] - low) * steps)))];
  }
  const picture = new OffscreenCanvas(columns, rows);
  picture.getContext("2d").putImageData(image, 0, 0);
  return Object.assign(picture, { pixels });
}

/** Where a sheet lies in a strip `width` pixels wide: as large as it fits, at the top, in the middle. */
function placeIn(sheet, width) {
  const unit = Math.min(width / sheet.width, sheet.pixels / sheet.height);
  return { unit, left: (width - unit * sheet.width) / 2 };
}

function paint(context, sheet, width, style) {
  const { unit, left } = placeIn(sheet, width);
  const x = (units) => left + unit * units;
  const y = (units) => unit * units;
  context.imageSmoothingEnabled = false;
  for (const matrix of sheet.matrices) {
    context.globalAlpha = matrix.opacity;
    context.drawImage(matrix.picture, x(matrix.x), y(matrix.y), unit, unit);
    context.globalAlpha = 1;
    if (matrix.written) writeCells(context, matrix, x, y, unit, style);
  }
  for (const dot of sheet.dots) {
    context.beginPath();
    context.arc(x(dot.x), y(dot.y), Math.max(0.5, unit * dot.radius), 0, 2 * Math.PI);
    context.fillStyle = "rgba(255, 255, 255, 0.85)";
    context.fill();
    context.strokeStyle = "black";
    context.lineWidth = 1;
    context.stroke();
  }
  for (const outline of sheet.outlines) {
    context.strokeStyle = outline.colour;
    context.lineWidth = outline.thickness;
    context.setLineDash(outline.dotted ? [3, 3] : []);
    context.strokeRect(x(outline.x), y(outline.y), unit * outline.width, unit * outline.height);
  }
  context.setLineDash([]);
  for (const text of sheet.texts) write(context, text, x(text.x), y(text.y), unit, style);
}

function writeCells(context, matrix, x, y, unit, style) {
  matrix.written.flat().forEach((text, cell) => {
    const row = Math.floor(cell / matrix.columns);
    const pixel = matrix.picture.pixels[cell];
    const luma = 0.299 * (pixel & 255) + 0.587 * ((pixel >> 8) & 255) + 0.114 * ((pixel >> 16) & 255);
    const placed = { text, size: 12, anchor: "middle", room: 0.9 / matrix.columns, colour: luma < 128 ? "white" : "black" };
    const across = matrix.x + ((cell % matrix.columns) + 0.5) / matrix.columns;
    write(context, placed, x(across), y(matrix.y + (row + 0.5) / matrix.rows), unit, style);
  });
}

function write(context, { text, size, anchor, bold, room, colour }, x, y, unit, style) {
  const lines = text.split("\n");
  const font = (pixels) => `${bold ? "bold " : ""}${pixels}px ${style.font}`;
  context.font = font(size);
  const widest = Math.max(...lines.map((line) => context.measureText(line).width));
  const fitting = widest > room * unit ? (size * room * unit) / widest : size;
  if (fitting < size) context.font = font(fitting);
  context.fillStyle = colour ?? style.ink;
  context.textAlign = "center";
  context.textBaseline = { above: "bottom", below: "top", middle: "middle" }[anchor];
  const height = 1.25 * fitting;
  const first = { above: y - (lines.length - 1) * height, below: y, middle: y - ((lines.length - 1) * height) / 2 }[anchor];
  lines.forEach((line, number) => context.fillText(line, x, first + number * height));
}

function valueAt(sheet, width, across, down) {
  const { unit, left } = placeIn(sheet, width);
  const [x, y] = [(across - left) / unit, down / unit];
  const hit = sheet.matrices.findLast((matrix) => matrix.x <= x && x < matrix.x + 1 && matrix.y <= y && y < matrix.y + 1);
  if (!hit) return null;
  const [row, column] = [Math.floor((y - hit.y) * hit.rows), Math.floor((x - hit.x) * hit.columns)];
  const value = Number(hit.values[row * hit.columns + column].toPrecision(5));
  return `${hit.name}, row ${row}, column ${column}: ${String(value).replace("-", "−")}`;
}

function styleOf(element) {
  const { color, fontFamily } = getComputedStyle(element);
  return { ink: color, font: fontFamily };
}

function draw(figure) {
  const canvas = figure.querySelector("canvas");
  const width = figure.clientWidth;
  const scale = devicePixelRatio;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(figure.sheet.pixels * scale);
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  paint(context, figure.sheet, width, styleOf(figure));
}

function save(figure) {
  const width = figure.clientWidth;
  const canvas = Object.assign(document.createElement("canvas"), {
    width: SAVED_SCALE * width,
    height: SAVED_SCALE * figure.sheet.pixels,
  });
  const context = canvas.getContext("2d");
  context.fillStyle = getComputedStyle(figure).getPropertyValue("--st-background-color");
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.scale(SAVED_SCALE, SAVED_SCALE);
  paint(context, figure.sheet, width, styleOf(figure));
  canvas.toBlob((blob) => {
    const link = Object.assign(document.createElement("a"), {
      href: URL.createObjectURL(blob),
      download: `${figure.sheet.name}.png`,
    });
    link.click();
    URL.revokeObjectURL(link.href);
  });
}

function makeAlive(figure) {
  const note = figure.querySelector(".note");
  figure.querySelector("canvas").onpointermove = (event) => {
    note.textContent = valueAt(figure.sheet, figure.clientWidth, event.offsetX, event.offsetY) ?? "";
    note.hidden = !note.textContent;
    const room = figure.clientWidth - note.offsetWidth;
    note.style.left = `${Math.max(0, Math.min(room, event.offsetX + 12))}px`;
    note.style.top = `${event.offsetY + 18}px`;
  };
  figure.querySelector("canvas").onpointerleave = () => (note.hidden = true);
  figure.querySelector("button").onclick = () => save(figure);
  figure.watcher = new ResizeObserver(() => draw(figure));
  figure.watcher.observe(figure);
}

export default function ({ data, parentElement }) {
  const figure = parentElement.querySelector(".sheet");
  figure.sheet = unpacked(data);
  figure.style.height = `${data.pixels}px`;
  figure.querySelector("canvas").setAttribute("aria-label", data.name);
  if (figure.watcher) draw(figure);
  else makeAlive(figure);
}
