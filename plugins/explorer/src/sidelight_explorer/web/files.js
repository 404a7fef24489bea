// @ts-check
/** Keeping what was found: the session, a picture of the images, a table, and one page that opens from disk. */
import { WHY } from "./disk.js";
import { button, download, h } from "./dom.js";
import { sorted } from "./gallery.js";
import { fixed, scoreOf } from "./numbers.js";
import { follow } from "./progress.js";

/** @typedef {import("./app.js").App} App */

const SIDE = 128;
const LINE = 26;

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
      app.say(`Opened ${file.name}.`);
    }
  });
  return h("div", { class: "files", role: "group", "aria-label": "Files" },
    button("Save", () => void save(app), { title: "The session as a file (S)" }),
    button("Open", () => input.click(), { disabled: !live, title: live ? "A saved session" : WHY }), input,
    button("PNG", () => void sheet(app), { title: "The images with their scores, as a picture" }),
    button("CSV", () => download(new Blob([table(app)], { type: "text/csv" }), `${app.facts.name}.csv`), { title: "The images' scores and mixes, as a table" }),
    button("Page", () => void exported(app, work), { disabled: !live, title: live ? "One page that opens from disk" : WHY }));
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
  const { export: name, bytes } = job?.result ?? {};
  if (typeof name !== "string" || typeof bytes !== "number") return;
  const size = (bytes / 1e6).toFixed(1);
  const dialog = h("dialog", { "aria-label": "Write the page" }, h("p", {}, `The page is ${size} MB. It opens from disk and shows up to 100 edits of each image without the model.`),
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
  const columns = app.facts.classifiers.flatMap(({ id, classes }) => (classes.length > 64 ? [] : classes).map((name, index) => ({ id, index: String(index), title: `${id}: ${name}` })));
  const rows = sorted(app).map(({ name, now }) => {
    const values = app.pictures.of(now)?.values ?? {};
    const mixes = now.layers.map(([start, end, share]) => (share === 0 ? start : share === 100 ? end : `${start} ${share}% ${end}`));
    return [name, ...columns.map(({ id, index }) => values[id]?.[index] ?? ""), mixes.join(" | "), JSON.stringify(now.moves)];
  });
  return [["image", ...columns.map(({ title }) => title), "layers", "attributes"], ...rows].map((row) => row.map(quoted).join(",")).join("\r\n");
}

/** Spreadsheets run what begins like a formula: such text gets an apostrophe in front. @param {string | number} value */
function quoted(value) {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** All images in their order, their scores above. @param {App} app */
async function sheet(app) {
  const images = sorted(app);
  const columns = Math.min(8, images.length || 1);
  const canvas = h("canvas", { width: columns * SIDE, height: Math.ceil(images.length / columns) * (SIDE + LINE) || 1 });
  const context = canvas.getContext("2d");
  if (!context) return;
  [context.fillStyle, context.font, context.textAlign, context.imageSmoothingEnabled] = ["#fff", "16px sans-serif", "center", false];
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = "#111";
  for (const [index, { now }] of images.entries()) {
    const picture = app.pictures.of(now);
    const [x, y] = [(index % columns) * SIDE, Math.floor(index / columns) * (SIDE + LINE)];
    context.fillText(fixed(scoreOf(picture, app.view)), x + SIDE / 2, y + 18);
    if (!picture) continue;
    const image = new Image();
    image.src = picture.src;
    await image.decode();
    context.drawImage(image, x + 1, y + LINE, SIDE - 2, SIDE - 2);
  }
  canvas.toBlob((blob) => blob && download(blob, `${app.facts.name}.png`));
}
