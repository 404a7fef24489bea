// @ts-check
/** All images with their scores, sorted by score. */
import { WHY } from "./disk.js";
import { button, h } from "./dom.js";
import { addImages } from "./edits.js";
import { setImage, toneBar } from "./marks.js";
import { fixed, scoreOf, tone } from "./numbers.js";
import { drawId } from "./spec.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {{ element: HTMLElement, button: HTMLElement, show: () => void }} Entry */

/** @param {App} app */
export function gallery(app) {
  const list = h("ol", { class: "gallery", role: "listbox", "aria-label": "Images" });
  const sort = button("", () => app.look({ sort: !app.view.sort }), { class: "quiet", title: "Change the order" });
  const count = h("span", { class: "note" });
  const none = empty(app);
  const element = h("section", { class: "panel gallery-panel", "aria-label": "Gallery" },
    h("header", {}, h("h2", {}, "Images"), count, sort), list, none);
  /** @type {Map<string, Entry>} */
  const entries = new Map();

  const show = () => {
    sort.textContent = app.view.sort ? "sorted by score" : "in order of making";
    count.textContent = String(app.doc.images.length);
    none.hidden = app.doc.images.length > 0;
    const order = sorted(app).map(({ id }) => id);
    for (const [id, entry] of entries) {
      if (order.includes(id)) continue;
      entry.element.remove();
      entries.delete(id);
    }
    order.forEach((id, index) => {
      const entry = entries.get(id) ?? makeEntry(app, id);
      entries.set(id, entry);
      entry.show();
      if (list.children[index] !== entry.element) moveTo(list, entry, index);
    });
  };
  return { element, show };
}

const FIRST = 6; // draws that fill an empty gallery

/** What to do without any image. @param {App} app */
function empty(app) {
  const live = app.backend.live;
  const options = { disabled: !live, title: live ? "" : WHY };
  const draw = () => {
    const seed = Math.floor(Math.random() * 1e6);
    app.edit((doc) => addImages(doc, Array.from({ length: FIRST }, (_, index) => ({ id: drawId(seed, index, 100), name: `draw ${seed}.${index + 1}` }))));
  };
  const upload = () => /** @type {HTMLElement | null} */ (document.querySelector(".sources-panel input[type=file]"))?.click();
  return h("div", { class: "empty" }, h("p", {}, "There is no image to explore. Draw some, take one of yours, or open a saved session; Undo brings removed ones back."),
    h("div", { class: "actions" }, button(`Draw ${FIRST} at random`, draw, options),
      button("Upload an image", upload, app.facts.inverts ? options : { disabled: true, title: "The recipe has no inverter" }),
      button("Open a session", () => /** @type {HTMLElement | null} */ (document.querySelector(".files input[type=file]"))?.click(), options)));
}

/** Moving an element loses its focus, which is given back. @param {Element} list @param {Entry} entry @param {number} index */
function moveTo(list, entry, index) {
  const focused = document.activeElement === entry.button;
  list.insertBefore(entry.element, list.children[index] ?? null);
  if (focused) entry.button.focus({ preventScroll: true });
}

/** The images in the order in which they are shown. @param {App} app */
export function sorted(app) {
  if (!app.view.sort) return app.doc.images;
  const scores = new Map(app.doc.images.map(({ id, now }) => [id, scoreOf(app.pictures.of(now), app.view) ?? -Infinity]));
  return app.doc.images.toSorted((a, b) => (scores.get(b.id) ?? 0) - (scores.get(a.id) ?? 0));
}

/** @param {App} app @param {string} id @returns {Entry} */
function makeEntry(app, id) {
  const [score, name] = [h("span", { class: "score" }), h("span", { class: "name" })];
  const [mark, image] = [toneBar(), h("img", { alt: "", class: "crisp" })];
  const option = h("button", {
    type: "button", role: "option", "data-image": id, onclick: () => app.look({ selected: id }),
    onkeydown: (/** @type {KeyboardEvent} */ event) => step(app, id, event),
  }, score, mark.element, image, name);
  const show = () => {
    const item = app.doc.images.find((one) => one.id === id);
    if (!item) return;
    const picture = app.pictures.of(item.now);
    const value = scoreOf(picture, app.view);
    const pinned = app.view.pins.includes(id);
    const chosen = id === app.item?.id;
    setImage(image, picture);
    mark.show(tone(value, app.classifier));
    score.textContent = pinned ? `● ${fixed(value)}` : fixed(value);
    name.textContent = item.name;
    option.title = item.name;
    option.setAttribute("aria-selected", String(chosen));
    option.tabIndex = chosen ? 0 : -1;
    option.setAttribute("aria-label", `${item.name}, score ${fixed(value)}${pinned ? ", pinned" : ""}`);
  };
  return { element: h("li", { role: "presentation" }, option), button: option, show };
}

/** Arrow keys go through the images. @param {App} app @param {string} id @param {KeyboardEvent} event */
function step(app, id, event) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  const images = sorted(app);
  const next = step && images[images.findIndex((item) => item.id === id) + step];
  if (!next) return;
  event.preventDefault();
  app.look({ selected: next.id });
  const thumbnail = document.querySelector(`.gallery [data-image="${next.id}"]`);
  if (thumbnail instanceof HTMLElement) thumbnail.focus();
}
