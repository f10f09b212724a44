// Draws a sheet (gpcore/drawing/sheets.py) on a canvas, tells the value under the pointer, and saves the drawing as PNG.

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
  const edges = ([across, down, width, height]) => [x(across), y(down), unit * width, unit * height];
  for (const photograph of sheet.photographs) paintPhotograph(context, photograph, sheet.decoded.get(photograph.source), edges);
  for (const matrix of sheet.matrices) {
    paintMatrix(context, matrix, edges);
    if (matrix.written) writeCells(context, matrix, x, y, unit, style);
  }
  for (const bar of sheet.bars) {
    context.fillStyle = bar.colour;
    context.fillRect(...edges(placeOf(bar)));
  }
  for (const disc of sheet.discs) {
    context.beginPath();
    context.arc(x(disc.x), y(disc.y), Math.max(0.5, unit * disc.radius), 0, 2 * Math.PI);
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
    context.strokeRect(...edges(placeOf(outline)));
  }
  context.setLineDash([]);
  for (const text of sheet.texts) write(context, text, x(text.x), y(text.y), unit, style);
}

const placeOf = ({ x, y, width, height }) => [x, y, width, height];

function paintPhotograph(context, { width, height, places }, picture, edges) {
  if (!picture.naturalWidth) return; // it could not be decoded; what is drawn over it still can
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  for (const [across, down] of places) context.drawImage(picture, ...edges([across, down, width, height]));
}

function paintMatrix(context, matrix, edges) {
  context.save();
  if (matrix.clip) {
    context.beginPath();
    context.rect(...edges(matrix.clip));
    context.clip();
  }
  context.imageSmoothingEnabled = false;
  context.globalAlpha = matrix.opacity;
  context.drawImage(matrix.picture, ...edges(placeOf(matrix)));
  context.restore();
}

function writeCells(context, matrix, x, y, unit, style) {
  matrix.written.flat().forEach((text, cell) => {
    const row = Math.floor(cell / matrix.columns);
    const pixel = matrix.picture.pixels[cell];
    const luma = 0.299 * (pixel & 255) + 0.587 * ((pixel >> 8) & 255) + 0.114 * ((pixel >> 16) & 255);
    const [width, height] = [matrix.width / matrix.columns, matrix.height / matrix.rows];
    const placed = { text, size: 12, anchor: "middle", room: 0.9 * width, colour: luma < 128 ? "white" : "black" };
    const across = matrix.x + ((cell % matrix.columns) + 0.5) * width;
    write(context, placed, x(across), y(matrix.y + (row + 0.5) * height), unit, style);
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

/** The matrix and its cell at a place, in pixels; null where there is none. */
function hitAt(sheet, width, across, down) {
  const { unit, left } = placeIn(sheet, width);
  const [x, y] = [(across - left) / unit, down / unit];
  const within = ([left, top, width, height]) => left <= x && x < left + width && top <= y && y < top + height;
  const matrix = sheet.matrices.findLast((matrix) => within(placeOf(matrix)) && (!matrix.clip || within(matrix.clip)));
  if (!matrix) return null;
  const cell = (share, count) => Math.min(count - 1, Math.floor(share * count));
  const at = [(x - matrix.x) / matrix.width, (y - matrix.y) / matrix.height];
  return { matrix, at, row: cell(at[1], matrix.rows), column: cell(at[0], matrix.columns) };
}

function said({ matrix, row, column }) {
  const value = Number(matrix.values[row * matrix.columns + column].toPrecision(5));
  return `${matrix.name}, row ${row + 1}, column ${column + 1}: ${String(value).replace("-", "−")}`;
}

// A cell sees some pixels of the image, and a pixel is seen by some cells: what is pointed at on one sheet is framed on others.

const POINTED = "poolscope-pointed";

/** The part of the image that a cell sees, as shares of its width and height. */
function seenBy({ field }, { row, column }) {
  const part = (place, whole) => {
    const [from, to] = [field.start + place * field.step, field.start + place * field.step + field.size];
    const [begin, end] = [from, to].map((pixel) => Math.min(Math.max(pixel, 0), whole) / whole);
    return [begin, end - begin];
  };
  const [[x, width], [y, height]] = [part(column, field.width), part(row, field.height)];
  return { x, y, width, height };
}

/** On every map the cell whose own pixels, the middle of what it sees, hold a place of the image. */
function cellsAt(sheet, [x, y]) {
  const place = (share, pixels, count) => Math.min(Math.floor((share * pixels) / (sheet.field.step || pixels)), count - 1);
  return sheet.matrices.map((matrix) => {
    const [width, height] = [matrix.width / matrix.columns, matrix.height / matrix.rows];
    const column = place(x, sheet.field.width, matrix.columns);
    const row = place(y, sheet.field.height, matrix.rows);
    return { x: matrix.x + column * width, y: matrix.y + row * height, width, height };
  });
}

function announce({ sheet }, hit) {
  const detail = hit && sheet.image ? { pixel: hit.at } : hit && sheet.field ? { seen: seenBy(sheet, hit) } : {};
  if (sheet.image || sheet.field) dispatchEvent(new CustomEvent(POINTED, { detail }));
}

function listen(figure) {
  const hear = ({ detail }) => {
    if (!figure.isConnected) return removeEventListener(POINTED, hear);
    const { sheet } = figure;
    const marks = sheet.image && detail.seen ? [{ ...detail.seen }] : sheet.field && detail.pixel ? cellsAt(sheet, detail.pixel) : [];
    if (!marks.length && !figure.marks?.length) return;
    if (sheet.image && marks.length) {
      const [{ x, y, width, height }] = sheet.matrices;
      const [mark] = marks;
      marks[0] = { x: x + mark.x * width, y: y + mark.y * height, width: mark.width * width, height: mark.height * height };
    }
    figure.marks = marks;
    draw(figure);
  };
  addEventListener(POINTED, hear);
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
  canvas.height = Math.round(figure.clientHeight * scale);
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  paint(context, figure.sheet, width, styleOf(figure));
  mark(context, figure, width);
}

function mark(context, { sheet, marks = [] }, width) {
  const { unit, left } = placeIn(sheet, width);
  for (const [colour, thickness] of [["black", 5], ["white", 2.5]]) {
    Object.assign(context, { strokeStyle: colour, lineWidth: thickness });
    for (const { x, y, width, height } of marks) context.strokeRect(left + unit * x, unit * y, unit * width, unit * height);
  }
}

function save(figure) {
  const width = figure.clientWidth;
  const canvas = Object.assign(document.createElement("canvas"), {
    width: SAVED_SCALE * width,
    height: SAVED_SCALE * figure.clientHeight,
  });
  const context = canvas.getContext("2d");
  context.fillStyle = groundOf(figure);
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.scale(SAVED_SCALE, SAVED_SCALE);
  paint(context, figure.sheet, width, styleOf(figure));
  saveCanvas(canvas, figure.sheet.name);
}

function makeAlive(figure) {
  const canvas = figure.querySelector("canvas");
  canvas.onpointermove = ({ offsetX, offsetY }) => point(figure, [offsetX, offsetY]);
  canvas.onpointerleave = () => point(figure, null);
  canvas.onclick = ({ offsetX, offsetY }) => {
    const hit = hitAt(figure.sheet, figure.clientWidth, offsetX, offsetY);
    if (hit && figure.sheet.clicks) figure.choose("clicked", hit.matrix.name);
  };
  listen(figure);
  figure.querySelector("button").onclick = () => save(figure);
  figure.watcher = new ResizeObserver(() => draw(figure));
  figure.watcher.observe(figure);
}

/** Tells the value under the pointer, and again when another sheet comes under it. */
function point(figure, place) {
  figure.pointed = place;
  const hit = place && hitAt(figure.sheet, figure.clientWidth, ...place);
  if (hit) showNote(figure, said(hit), ...place);
  else showNote(figure);
  announce(figure, hit);
}

/** Shows a sheet once its photographs are decoded, unless another one is wanted by then.
 *
 * Until then the sheet before it stays: nothing flickers, and no photograph is seen under maps that are not its own. */
function show(figure, sheet) {
  figure.wanted = sheet;
  const known = figure.sheet?.decoded;
  const loaded = (source) => known?.get(source) ?? Object.assign(new Image(), { src: source });
  sheet.decoded = new Map(sheet.photographs.map(({ source }) => [source, loaded(source)]));
  const missing = [...sheet.decoded.values()].filter((picture) => !picture.complete);
  if (!missing.length) return put(figure, sheet);
  Promise.allSettled(missing.map((picture) => picture.decode())).then(() => figure.wanted === sheet && put(figure, sheet));
}

function makeRoom(figure, { width, height, pixels, shrinks }) {
  const room = shrinks ? { height: "", aspectRatio: `${width} / ${height}` } : { height: `${pixels}px`, aspectRatio: "" };
  Object.assign(figure.style, { maxHeight: `${pixels}px`, ...room });
}

function put(figure, sheet) {
  figure.sheet = sheet;
  makeRoom(figure, sheet);
  figure.querySelector("canvas").setAttribute("aria-label", sheet.label);
  figure.querySelector("canvas").style.cursor = sheet.clicks ? "pointer" : "";
  if (figure.watcher) draw(figure);
  else makeAlive(figure);
  if (figure.pointed) point(figure, figure.pointed);
}

export default function ({ data, parentElement, setTriggerValue }) {
  const figure = parentElement.querySelector(".sheet");
  figure.choose = setTriggerValue;
  if (!figure.sheet) makeRoom(figure, data); // so that nothing below moves when the first photograph has been decoded
  show(figure, unpacked(data));
}
