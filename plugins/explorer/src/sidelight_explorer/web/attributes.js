// @ts-check
/** Attributes that a finder has found, as sliders with the live score. */
import { WHY } from "./disk.js";
import { fill, h } from "./dom.js";
import { move } from "./edits.js";
import { signed } from "./numbers.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./types.js").Slider} Slider */

/** @param {App} app */
export function attributes(app) {
  const list = h("div", { class: "sliders" });
  const about = h("p", { class: "note" });
  const element = h("section", { class: "panel attributes-panel", "aria-label": "Attributes" }, h("header", {}, h("h2", {}, "Attributes")), about, list);
  /** @type {{ element: HTMLElement, show: () => void }[]} */
  let parts = [];
  let built = "none";
  const show = () => {
    const sliders = slidersOf(app);
    const ids = sliders.map(({ id }) => id).join(" ");
    if (ids !== built) {
      built = ids;
      parts = sliders.map((slider) => makeSlider(app, slider));
      fill(list, ...grouped(sliders, parts.map((part) => part.element)));
      about.textContent = sliders.length ? "Found by the recipe's attribute finders. 100 is the whole shift; beside the name, what it did to the class's logit where it was measured." + (app.backend.live ? "" : ` Grey ones: moving them ${WHY}.`) : "The recipe has no attribute finder for this generator.";
    }
    for (const part of parts) part.show();
  };
  return { element, show };
}

/** A heading for each class, and the sliders towards it; beside these, those of finders that looked for none have one of their own. @param {Slider[]} sliders @param {HTMLElement[]} elements */
function grouped(sliders, elements) {
  const all = [...new Set(sliders.map(({ towards }) => towards))];
  return all.flatMap((towards) => [
    towards !== "" ? h("h3", {}, `Towards \u201c${towards}\u201d`) : all.length > 1 && h("h3", {}, "Towards no class in particular"),
    h("div", { class: "slider-grid" }, ...elements.filter((_, place) => sliders[place]?.towards === towards)),
  ]);
}

/** The run's sliders, and those that came with the session. @param {App} app @returns {Slider[]} */
function slidersOf(app) {
  const known = new Set(app.facts.attributes.map(({ id }) => id));
  return [...app.facts.attributes, ...app.doc.sliders.filter(({ id }) => !known.has(id))];
}

/** From disk a slider goes as far as the page holds pictures: all the way. @param {App} app @param {Slider} slider */
function makeSlider(app, slider) {
  const least = slider.oneSided ? 0 : -100;
  const range = h("input", { type: "range", class: "from-zero", min: least, max: 100, step: app.backend.live ? 1 : 100, "aria-label": `${slider.name}, by ${slider.finder}` });
  const amount = h("output", {});
  /** @param {import("./types.js").Item} item @param {number} percent */
  const moved = (item, percent) => move(app.doc, item.id, slider.id, percent);
  /** @param {import("./types.js").Item} item @param {number} percent */
  const held = (item, percent) => app.backend.holds({ ...item.now, moves: { ...item.now.moves, [slider.id]: percent } });
  range.addEventListener("input", () => {
    const [item, percent] = [app.item, Number(range.value)];
    if (!item) return;
    if (held(item, percent)) app.edit(() => moved(item, percent), `move ${item.id} ${slider.id}`);
    else app.say(`This edit ${WHY}.`);
  });
  range.addEventListener("dblclick", () => {
    const item = app.item;
    if (item && held(item, 0)) app.edit(() => moved(item, 0));
  });
  const element = h("label", { class: "attribute" }, h("span", { class: "name" }, slider.name, h("small", {}, ` ${slider.finder} · ${signed(slider.effect)}${slider.measured ? ` to \u201c${slider.measured}\u201d` : ""}`),
    slider.flagged && h("small", { class: "flag" }, ` ${slider.flagged}`)), range, amount);
  const show = () => {
    const item = app.item;
    const value = item?.now.moves[slider.id] ?? 0;
    range.value = String(value);
    for (const [end, at] of /** @type {const} */ ([["--low", Math.min(0, value)], ["--high", Math.max(0, value)]])) range.style.setProperty(end, String((at - least) / (100 - least)));
    range.disabled = !app.backend.live && !(item && [100, 0, -100].some((percent) => percent !== value && held(item, percent)));
    range.title = range.disabled ? WHY : "";
    amount.textContent = String(value).replace("-", "\u2212");
  };
  return { element, show };
}
