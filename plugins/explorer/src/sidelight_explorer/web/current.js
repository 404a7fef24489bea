// @ts-check
/** The image that is edited, beside what it was, with both scores; and a heatmap on demand. */
import { WHY } from "./disk.js";
import { button, choice, field, fill, h } from "./dom.js";
import { applyEdit, duplicate, editOf, remove, reset } from "./edits.js";
import { paint } from "./heatmap.js";
import { pairPicture } from "./files.js";
import { NO_HEATMAP } from "./local.js";
import { setImage, toneBar } from "./marks.js";
import { cellSpecs } from "./matrix.js";
import { fixed, meaning, scoreOf, signed, tone, verdict } from "./numbers.js";
import { keyOf } from "./spec.js";
import { editText } from "./words.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./types.js").Heatmap} Heatmap */

/** @param {App} app */
export function current(app) {
  const [before, image, canvas] = [h("img", { class: "crisp", alt: "" }), h("img", { class: "crisp", alt: "" }), h("canvas", { class: "overlay crisp", "aria-hidden": "true" })];
  const [old, done] = [h("output", { class: "old" }), h("p", { class: "note done" })];
  const [name, score, change, says] = [h("h2", {}), h("output", { class: "big" }), h("span", { class: "change" }), h("p", { class: "note says" })];
  const mark = toneBar();
  const hint = h("p", { class: "hint", role: "status" });
  const pin = button("", () => togglePin(app));
  const paste = button("Paste edit", () => pasteEdit(app));
  const actions = h("div", { class: "actions" },
    button("Reset", () => app.item && app.edit((doc) => reset(doc, app.view.selected)), { title: "Back to where it started (R)" }),
    button("Duplicate", () => copy(app), { title: "A copy of it as it is (D)" }), pin,
    button("Copy edit", () => copyEdit(app), { title: "Of this image, to be pasted into another (C)" }), paste,
    button("Picture", () => void pairPicture(app), { title: "A PNG: before and after with their scores, as a picture" }),
    button("Remove", () => app.edit((doc) => remove(doc, app.view.selected))));
  const overlay = heatmaps(app, canvas);
  const element = h("section", { class: "panel current-panel", "aria-label": "Selected image" }, h("header", {}, name),
    h("div", { class: "pair" }, h("figure", {}, h("div", { class: "stage" }, before), h("figcaption", {}, "before ", old)),
      h("figure", {}, h("div", { class: "stage after" }, image, canvas), h("figcaption", {}, "after ", score))),
    h("p", { class: "verdict" }, change), mark.element, says, done, hint, actions, overlay.element);

  const show = () => {
    const item = app.item;
    element.hidden = !item;
    if (!item) return;
    const picture = app.pictures.of(item.now);
    const value = scoreOf(picture, app.view);
    const original = app.pictures.of(item.start);
    const began = scoreOf(original, app.view);
    name.textContent = item.name;
    if (picture !== undefined) setImage(image, picture);
    if (original !== undefined) setImage(before, original);
    [before.alt, image.alt] = [`${item.name} as it began, score ${fixed(began)}`, `${item.name}, score ${fixed(value)}`];
    element.setAttribute("aria-busy", String(picture === undefined));
    old.textContent = fixed(began);
    fill(score, fixed(value), app.classifier.unit ? h("small", {}, ` ${app.classifier.unit}`) : "");
    change.textContent = value === undefined || began === undefined ? "" : `${signed(value - began)} since the start`;
    done.textContent = editText(app, item).join(" · ") || "Not edited yet: move a slider, or press a cell of the matrix.";
    says.textContent = picture ? [meaning(app.classifier, app.view.target), ...verdicts(app, picture)].join(" · ") : "";
    mark.show(tone(value, app.classifier));
    hint.textContent = isAtItsEnd(app, item) ? `This file holds pictures of some edits. Undo or reset to try another; this one with one more ${WHY}.`
      : picture && picture.distance > 1 ? `Outside of what the generator knows: ${fixed(picture.distance)} times as far from its average as 99 % of its samples.` : "";
    paste.disabled = !app.copied;
    paste.title = app.copied ? "What was done to the other image, done to this one (V)" : "Copy an edit first";
    pin.textContent = app.view.pins.includes(item.id) ? "Unpin" : "Pin to compare";
    overlay.show();
  };
  return { element, show };
}

/** True for an image that was edited on a page from disk that holds no second edit of it. @param {App} app @param {import("./types.js").Item} item */
function isAtItsEnd(app, item) {
  if (app.backend.live || keyOf(item.now) === keyOf(item.start)) return false;
  return cellSpecs(app, "result").some((spec) => !app.backend.holds(spec));
}

/** Scores of every classifier. @param {App} app @param {import("./types.js").Picture} picture */
function verdicts(app, picture) {
  return app.facts.classifiers.map((one) => `${app.facts.classifiers.length > 1 ? one.id : "the classifier"} says ${verdict(picture, one)}`);
}

/** @param {App} app */
export function togglePin(app) {
  const id = app.item?.id;
  if (!id) return;
  const pins = app.view.pins.includes(id) ? app.view.pins.filter((pin) => pin !== id) : [...app.view.pins, id].slice(-2);
  app.look({ pins });
}

/** Keep what was done to the image. @param {App} app */
export function copyEdit(app) {
  if (!app.item) return;
  app.copied = editOf(app.item);
  app.announce();
}

/** Do to this image what was done to the other. @param {App} app */
export function pasteEdit(app) {
  const [id, edit] = [app.item?.id, app.copied];
  if (!id || !edit) return;
  const after = applyEdit(app.doc, id, edit);
  const spec = after.images.find((item) => item.id === id)?.now;
  if (spec && app.backend.holds(spec)) app.edit(() => after);
  else app.say(`This edit ${WHY}.`);
}

/** @param {App} app */
export function copy(app) {
  const index = app.doc.images.findIndex(({ id }) => id === app.view.selected);
  app.edit((doc) => duplicate(doc, app.view.selected));
  const copy = app.doc.images[index + 1];
  if (copy) app.look({ selected: copy.id });
}

/** Heatmaps of what is shown now, by any heatmap explainer. @param {App} app @param {HTMLCanvasElement} canvas */
function heatmaps(app, canvas) {
  const options = /** @type {[string, string][]} */ ([["", "none"], ...app.facts.explainers.map(({ id }) => [id, id])]);
  const none = options.length < 2;
  const pick = choice(options, "", (explainer) => app.look({ explainer }), { disabled: none, title: !none ? "" : app.backend.local ? NO_HEATMAP : app.backend.live ? "The recipe has no heatmap explainer" : WHY });
  const opacity = h("input", { type: "range", min: 0, max: 100, disabled: none, "aria-label": "Opacity of the heatmap" });
  opacity.addEventListener("input", () => app.look({ opacity: Number(opacity.value) }));
  const state = h("span", { class: "note", role: "status" });
  let [wanted, painted] = ["", ""];

  const show = () => {
    const item = app.item;
    pick.value = app.view.explainer;
    opacity.value = String(app.view.opacity);
    canvas.style.opacity = String(app.view.opacity / 100);
    const key = item && app.view.explainer ? [keyOf(item.now), app.view.explainer, app.classifier.id, app.view.target].join(" ") : "";
    canvas.hidden = !key || key !== painted;
    if (!key) [wanted, state.textContent] = ["", ""];
    if (!item || !key || key === wanted) return;
    wanted = key;
    void ask(item, key);
  };

  /** @param {import("./types.js").Item} item @param {string} key */
  const ask = async (item, key) => {
    await new Promise((resolve) => setTimeout(resolve, app.backend.live ? 250 : 0));
    if (key !== wanted) return;
    state.textContent = "computing …";
    const map = await app.tell(app.backend.heatmap(item, app.view.explainer, app.classifier.id, app.view.target, ({ done, total }) => {
      state.textContent = total ? `computing … ${done} of ${total}` : "computing …";
    }));
    if (key !== wanted) return;
    state.textContent = map ? about(app, map, keyOf(item.now)) : app.backend.local ? `A heatmap of this image ${NO_HEATMAP}` : app.backend.live ? "" : `A heatmap of this image ${WHY}`;
    if (!map) return;
    paint(canvas, map);
    painted = key;
    app.announce();
  };
  return { element: h("div", { class: "controls" }, field("heatmap", pick), field("opacity", opacity), state), show };
}

/** Class and classifier of a heatmap, if they differ from the view's. @param {App} app @param {Heatmap} map @param {string} now */
function about(app, map, now) {
  const name = app.classifier.classes[map.target] ?? String(map.target);
  const parts = [`${map.signed ? "teal for" : "what counts for"} “${name}”${map.signed ? ", amber against it" : ""}`, map.spec !== now && "of the image as it began"];
  return parts.filter(Boolean).join(", ");
}
