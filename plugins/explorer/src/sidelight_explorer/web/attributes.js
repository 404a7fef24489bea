// @ts-check
/** Attributes that a finder has found, as sliders with the live score. */
import { WHY } from "./disk.js";
import { h } from "./dom.js";
import { move } from "./edits.js";
import { signed } from "./numbers.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./types.js").Slider} Slider */

/** @param {App} app */
export function attributes(app) {
  const sliders = app.facts.attributes.map((slider) => makeSlider(app, slider));
  const element = h("section", { class: "panel attributes-panel", "aria-label": "Attributes" }, h("header", {}, h("h2", {}, "Attributes")),
    h("p", { class: "note" }, sliders.length ? "Found by the recipe's attribute finders. 100 is the whole shift; beside it, what it did to the logit on the run's images." : "The recipe has no attribute finder for this generator."),
    h("div", { class: "sliders" }, ...sliders.map((slider) => slider.element)));
  return { element, show: () => sliders.forEach((slider) => slider.show()) };
}

/** @param {App} app @param {Slider} slider */
function makeSlider(app, slider) {
  const live = app.backend.live;
  const range = h("input", { type: "range", min: slider.oneSided ? 0 : -100, max: 100, step: 1, disabled: !live, title: live ? "" : WHY,
    "aria-label": `${slider.name}, by ${slider.finder}` });
  const amount = h("output", {});
  range.addEventListener("input", () => {
    const id = app.item?.id;
    if (id) app.edit((doc) => move(doc, id, slider.id, Number(range.value)), `move ${id} ${slider.id}`);
  });
  range.addEventListener("dblclick", () => {
    const id = app.item?.id;
    if (id) app.edit((doc) => move(doc, id, slider.id, 0));
  });
  const element = h("label", { class: "attribute" }, h("span", { class: "name" }, slider.name, h("small", {}, ` ${slider.finder} · ${signed(slider.effect)}`),
    slider.flagged && h("small", { class: "flag" }, ` ${slider.flagged}`)), range, amount);
  const show = () => {
    const value = app.item?.now.moves[slider.id] ?? 0;
    range.value = String(value);
    amount.textContent = String(value).replace("-", "\u2212");
  };
  return { element, show };
}
