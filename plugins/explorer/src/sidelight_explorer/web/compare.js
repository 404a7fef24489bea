// @ts-check
/** Two pinned images: side by side, by flickering, and the signed difference between them. */
import { button, fill, h } from "./dom.js";
import { fixed, signed } from "./numbers.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./types.js").Picture} Picture */

const PERIOD = 500;

/** @param {App} app */
export function compare(app) {
  const area = h("div", { class: "compared" });
  const element = h("section", { class: "panel compare-panel", "aria-label": "Compare" }, h("header", {}, h("h2", {}, "Compare")), area);
  let shown = "";
  let stop = () => {};

  const show = () => {
    const [a, b] = app.view.pins.map((id) => app.doc.images.find((item) => item.id === id));
    const [first, second] = [a && app.pictures.of(a.now), b && app.pictures.of(b.now)];
    const key = `${first?.src} ${second?.src} ${app.view.pins} ${app.classifier.id}`;
    if (key === shown) return;
    shown = key;
    stop();
    if (a && b && first && second) stop = draw(app, area, { name: a.name, spec: a.now, picture: first }, { name: b.name, spec: b.now, picture: second });
    else fill(area, h("p", { class: "note" }, a ? `${a.name} is pinned. Select another image and pin it (P).` : "Select an image above and pin it (P), then another: they stand here side by side, with their difference and the scores of every classifier."));
  };
  return { element, show };
}

/** @typedef {{ name: string, spec: import("./types.js").Spec, picture: Picture }} Pinned */

/** Alternate two pinned images; returns the function that stops it. @param {App} app @param {Element} area @param {Pinned} a @param {Pinned} b */
function draw(app, area, a, b) {
  const canvas = h("canvas", { class: "crisp", role: "img", "aria-label": `${b.name} minus ${a.name}: red is more, blue is less` });
  const [one, two] = [h("img", { class: "crisp", alt: a.name, src: a.picture.src }), h("img", { class: "crisp", alt: b.name, src: b.picture.src })];
  const flicker = h("img", { class: "crisp", alt: "", src: a.picture.src });
  let timer = 0;
  const stop = () => { clearInterval(timer); timer = 0; };
  const play = button("Flicker", () => {
    if (timer) stop();
    else timer = setInterval(() => { flicker.src = flicker.src === one.src ? two.src : one.src; }, PERIOD);
    play.setAttribute("aria-pressed", String(Boolean(timer)));
  }, { "aria-pressed": "false" });
  fill(area, figure(a.name, one), figure(b.name, two),
    figure("difference (red: more, blue: less)", canvas), h("figure", {}, flicker, play), scores(app, a, b));
  void app.tell(app.pictures.exact([a.spec, b.spec], app.ask).then(([first, second]) => {
    one.src = flicker.src = (first ?? a.picture).src; // those on the page are thumbnails
    two.src = (second ?? b.picture).src;
    return difference(canvas, first ?? a.picture, second ?? b.picture);
  }));
  return stop;
}

/** @param {string} name @param {Element} content */
function figure(name, content) {
  return h("figure", {}, content, h("figcaption", {}, name));
}

/** A row of scores for every classifier and class; of many classes those that differ most. @param {App} app @param {Pinned} a @param {Pinned} b */
function scores(app, a, b) {
  const rows = app.facts.classifiers.flatMap(({ id, classes, task }) => Object.entries(a.picture.values[id] ?? {})
    .map(([index, value]) => ({ name: `${id}: ${classes[Number(index)] ?? index}`, before: value, after: b.picture.values[id]?.[index], only: task === "binary" && index === "0" }))
    .filter(({ only }) => !only));
  const most = rows.toSorted((x, y) => Math.abs((y.after ?? 0) - y.before) - Math.abs((x.after ?? 0) - x.before)).slice(0, 10);
  return h("table", { class: "scores" }, h("thead", {}, h("tr", {}, ...["score", a.name, b.name, "change"].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, ...most.map(({ name, before, after }) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, fixed(before)), h("td", {}, fixed(after)),
      h("td", {}, signed(after === undefined ? undefined : after - before))))));
}

/** @param {Picture} picture */
async function pixels(picture) {
  const image = new Image();
  image.src = picture.src;
  await image.decode();
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
  const context = canvas.getContext("2d");
  context?.drawImage(image, 0, 0);
  return context?.getImageData(0, 0, canvas.width, canvas.height);
}

/** @param {HTMLCanvasElement} canvas @param {Picture} a @param {Picture} b */
async function difference(canvas, a, b) {
  const [before, after] = [await pixels(a), await pixels(b)];
  if (!before || !after) return;
  [canvas.width, canvas.height] = [before.width, before.height];
  const image = new ImageData(before.width, before.height);
  for (let at = 0; at < before.data.length; at += 4) {
    const change = [0, 1, 2].reduce((sum, c) => sum + (after.data[at + c] ?? 0) - (before.data[at + c] ?? 0), 0) / 3;
    const strength = Math.min(1, Math.abs(change) / 96);
    image.data.set(change > 0 ? [255, 255 * (1 - strength), 255 * (1 - strength), 255] : [255 * (1 - strength), 255 * (1 - strength), 255, 255], at);
  }
  canvas.getContext("2d")?.putImageData(image, 0, 0);
}
