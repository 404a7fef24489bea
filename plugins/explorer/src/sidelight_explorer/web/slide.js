// @ts-check
/** The slider below a column: from one style to another by degrees. */
import { WHY } from "./disk.js";
import { button, h } from "./dom.js";
import { pickStart, slide } from "./edits.js";
import { mixOf, withLayers } from "./spec.js";
import { layersText } from "./words.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {[number, number]} Group */

/** @param {App} app @param {Group} group */
export function makeSlide(app, group) {
  const range = h("input", { type: "range", min: 0, max: 100, step: app.backend.live ? 1 : 25 });
  const [from, share, to] = [h("span", {}), h("output", {}), h("span", {})];
  const begin = button("start here", () => {
    const item = app.item;
    if (item) app.edit((doc) => pickStart(doc, item.id, group, mixOf(item.now, group)[1]));
  }, { class: "quiet", title: app.backend.live ? "The slider starts from the style chosen now" : WHY, disabled: !app.backend.live });
  const element = h("div", { class: "slide" }, range, h("span", { class: "ends" }, from, share, to), begin);

  range.addEventListener("input", () => {
    const item = app.item;
    if (!item) return;
    const amount = Number(range.value);
    const there = withLayers(item.now, group, ([start, end]) => [start, end, amount]);
    if (app.backend.holds(there)) app.edit((doc) => slide(doc, item.id, group, amount), `slide ${item.id} ${group[0]}`);
    else app.say(`${amount} % ${WHY}.`);
  });

  const show = () => {
    const item = app.item;
    if (!item) return;
    const [start, end, amount] = mixOf(item.now, group);
    const names = new Map(app.doc.styles.map(({ id, name }) => [id, name]));
    /** @param {string} id */
    const named = (id) => names.get(id) ?? (id === item.start.layers[group[0]]?.[1] ? "own" : id);
    const held = [0, 25, 50, 75, 100].some((percent) => percent !== amount && app.backend.holds(withLayers(item.now, group, ([first, last]) => [first, last, percent])));
    range.disabled = start === end || !held;
    range.title = start === end ? "Press a cell above first: the slider goes from the style here to the cell's" : held ? "" : WHY;
    range.value = String(amount);
    range.setAttribute("aria-label", `${layersText(group)}: from ${named(start)} to ${named(end)}`);
    range.setAttribute("aria-valuetext", `${amount} percent`);
    [from.textContent, share.textContent, to.textContent] = [named(start), start === end ? "" : `${amount} %`, start === end ? "press a cell" : named(end)];
  };
  return { element, show };
}
