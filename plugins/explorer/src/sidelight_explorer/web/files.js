// @ts-check
/** Keeping what was found: the session, a picture of the images, a table, and one page that opens from disk. */
import { WHY } from "./disk.js";
import { button, download, h } from "./dom.js";
import { namedMoves } from "./names.js";
import { sorted } from "./gallery.js";
import { NO_PAGE } from "./local.js";
import { fixed, meaning, scoreOf, signed } from "./numbers.js";
import { follow } from "./progress.js";
import { keyOf } from "./spec.js";
import { editText } from "./words.js";
import { csv } from "./table.js";

/** @typedef {import("./app.js").App} App */

const SIDE = 128;
const LINE = 26;
const ACROSS = 8; // pictures side by side
const PAIR = 512; // pixels of a side of each of two pictures, at least; more where the pictures have more
const [INK, PAPER] = ["#111", "#fff"];

/** @param {App} app @param {Element} work where progress is shown */
export function files(app, work) {
  const live = app.backend.live;
  const input = h("input", { type: "file", accept: "application/json,.json", hidden: true, "aria-label": "A saved session" });
  input.addEventListener("change", async () => {
    const file = input.files?.[0];
    input.value = "";
    const doc = file && (await app.tell(file.text().then((text) => app.backend.open(text))));
    if (doc) {
      app.pictures.clear();
      app.replace(doc);
      app.report(`Opened ${file.name}.`);
    }
  });
  return h("div", { class: "files", role: "group", "aria-label": "Files" },
    button("Save", () => void save(app), { title: "The session as a file (S)" }),
    button("Open", () => input.click(), { disabled: !live, title: live ? "A saved session" : WHY }), input,
    button("PNG", () => void sheet(app), { title: "The images with their scores, edited ones beside what they were, as a picture" }),
    button("CSV", () => download(new Blob([table(app)], { type: "text/csv" }), `${app.facts.name}.csv`), { title: "The images' scores and mixes, as a table" }),
    button("Page", () => void exported(app, work), { disabled: !live || app.backend.local, title: app.backend.local ? NO_PAGE : live ? "One page that opens from disk" : WHY }));
}

/** @param {App} app */
export async function save(app) {
  const text = await app.tell(app.backend.save(app.doc));
  if (text) download(new Blob([text], { type: "application/json" }), `${app.facts.name}-session.json`);
}

/** Its size is said before it is written. @param {App} app @param {Element} work */
async function exported(app, work) {
  const line = follow(app, work, "making the page");
  const job = await app.tell(app.backend.export(app.doc, 100, { classifier: app.classifier.id, target: app.view.target }, line.notify));
  line.end();
  const { export: name, bytes, models, why } = job?.result ?? {};
  if (typeof name !== "string" || typeof bytes !== "number") return;
  const size = (bytes / 1e6).toFixed(1);
  const dialog = h("dialog", { "aria-label": "Write the page" }, h("p", {}, `The page is ${size} MB. It opens from disk and ${models ? "runs the models by itself: every edit, uploads and draws." : `shows up to 100 edits of each image without the model: ${why}.`}`),
    h("form", { method: "dialog" }, h("button", { value: "write" }, `Write ${size} MB`), h("button", { value: "" }, "Leave it")));
  document.body.append(dialog);
  dialog.showModal();
  dialog.addEventListener("close", async () => {
    dialog.remove();
    const blob = dialog.returnValue === "write" && (await app.tell(app.backend.exported(name)));
    if (blob) download(new Blob([blob], { type: "text/html" }), `${app.facts.name}-explorer.html`);
  });
}

/** Comma-separated values: image, scores of every class, styles and attributes. @param {App} app */
export function table(app) {
  const columns = app.facts.classifiers.flatMap(({ id, classes, unit }) => (classes.length > 64 ? [] : classes).map((name, index) => ({ id, index: String(index), title: `${id}: ${name}${unit ? ` (${unit})` : ""}` })));
  const rows = sorted(app).map(({ name, now }) => {
    const values = app.pictures.of(now)?.values ?? {};
    const mixes = now.layers.map(([start, end, share]) => (share === 0 ? start : share === 100 ? end : `${start} ${share}% ${end}`));
    return [name, ...columns.map(({ id, index }) => values[id]?.[index] ?? ""), mixes.join(" | "), JSON.stringify(namedMoves(app, now))];
  });
  return csv([["image", ...columns.map(({ title }) => title), "layers", "attributes"], ...rows]);
}

/** All images in their order, their scores above; an edited one stands right of what it was. @param {App} app */
async function sheet(app) {
  const groups = sorted(app).map(({ start, now }) => (keyOf(start) === keyOf(now) ? [now] : [start, now]));
  /** @type {{ spec: import("./types.js").Spec, text: string, column: number, row: number }[]} */
  const tiles = [];
  let [row, column] = [0, 0];
  for (const group of groups) {
    if (column + group.length > ACROSS) [row, column] = [row + 1, 0];
    for (const [index, spec] of group.entries()) {
      const text = fixed(scoreOf(app.pictures.of(spec), app.view));
      tiles.push({ spec, text: index ? `→ ${text}` : text, row, column });
      column += 1;
    }
  }
  const columns = Math.max(1, ...tiles.map((tile) => tile.column + 1));
  const canvas = h("canvas", { width: columns * SIDE, height: (row + 1) * (SIDE + LINE) });
  const context = paper(canvas, 16);
  if (!context) return;
  context.textAlign = "center";
  for (const tile of tiles) {
    const [x, y] = [tile.column * SIDE, tile.row * (SIDE + LINE)];
    context.fillText(tile.text, x + SIDE / 2, y + 18);
    await draw(context, app.pictures.of(tile.spec), x + 1, y + LINE, SIDE - 2);
  }
  canvas.toBlob((blob) => blob && download(blob, `${app.facts.name}.png`));
}

/** The selected image before and after, with scores, their change and the edit in words. @param {App} app */
export async function pairPicture(app) {
  const item = app.item;
  if (!item) return;
  const pictures = await app.tell(app.pictures.exact([item.start, item.now], app.ask));
  if (!pictures) return;
  const scores = pictures.map((picture) => scoreOf(picture, app.view));
  const sizes = await Promise.all(pictures.map(async (picture) => (picture ? (await decoded(picture.src)).naturalWidth : 0)));
  const natural = Math.max(1, ...sizes);
  const side = natural * Math.max(1, Math.ceil(PAIR / natural)); // whole multiples keep small pictures' pixels square
  const size = Math.max(15, Math.round(side / 34));
  const [line, gap] = [Math.round(size * 1.6), 8];
  const canvas = h("canvas", { width: 2 * side + gap, height: line });
  const words = editText(app, item).join(" · ");
  const measure = paper(canvas, size);
  if (!measure) return;
  const [left, right] = scores;
  const change = left === undefined || right === undefined ? "" : `, ${signed(right - left)}`;
  const lines = [...wrapped(measure, `${item.name}: ${meaning(app.classifier, app.view.target)}${app.facts.classifiers.length > 1 ? `, by ${app.classifier.id}` : ""}`, canvas.width - 2 * gap),
    ...(words ? wrapped(measure, words, canvas.width - 2 * gap) : [])];
  canvas.height = line + side + gap + lines.length * line;
  const context = paper(canvas, size);
  if (!context) return;
  for (const [index, text] of [`before ${fixed(left)}`, `after ${fixed(right)}${change}`].entries()) {
    const x = index * (side + gap);
    context.textAlign = "center";
    context.fillText(text, x + side / 2, line * 0.7);
    await draw(context, pictures[index], x, line, side, side >= 2 * natural);
  }
  context.textAlign = "left";
  for (const [index, text] of lines.entries()) context.fillText(text, gap, line + side + gap + (index + 0.7) * line);
  canvas.toBlob((blob) => blob && download(blob, `${app.facts.name}-${item.name.replace(/[^\w-]+/g, "-")}.png`));
}

/** A clear canvas to write on. @param {HTMLCanvasElement} canvas @param {number} size of the letters, in pixels */
function paper(canvas, size) {
  const context = canvas.getContext("2d");
  if (!context) return undefined;
  [context.fillStyle, context.font] = [PAPER, `${size}px sans-serif`];
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = INK;
  return context;
}

/** Text in lines that are no wider. @param {CanvasRenderingContext2D} context @param {string} text @param {number} width */
function wrapped(context, text, width) {
  /** @type {string[]} */
  const lines = [];
  for (const word of text.split(" ")) {
    const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
    if (lines.length && context.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** @param {string} source */
async function decoded(source) {
  const image = new Image();
  image.src = source;
  await image.decode();
  return image;
}

/** A picture in its place, or nothing. @param {CanvasRenderingContext2D} context @param {import("./types.js").Picture | null | undefined} picture @param {number} x @param {number} y @param {number} side @param {boolean} [crisp] */
async function draw(context, picture, x, y, side, crisp = true) {
  if (!picture) return;
  context.imageSmoothingEnabled = !crisp;
  context.drawImage(await decoded(picture.src), x, y, side, side);
}
