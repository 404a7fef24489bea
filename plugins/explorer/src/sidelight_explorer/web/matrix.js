// @ts-check
/** The style matrix: columns are groups of layers, rows are styles; each cell says what it would do to the score. */
import { makeCell } from "./cell.js";
import { WHY } from "./disk.js";
import { button, fill, h } from "./dom.js";
import { changeStyle, regroup, removeStyle } from "./edits.js";
import { setImage } from "./marks.js";
import { rename, star } from "./rename.js";
import { makeSlide } from "./slide.js";
import { disagree, groupsOf, plain, withStyle } from "./spec.js";
import { layersText } from "./words.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./types.js").Spec} Spec */
/** @typedef {import("./types.js").Style} Style */
/** @typedef {[number, number]} Group */
/** @typedef {{ element: HTMLElement, show: () => void }} Part */

/** @param {App} app @returns {Part} */
export function matrix(app) {
  const table = h("table", { class: "matrix" });
  const groups = groupCount(app);
  const views = /** @type {const} */ (["result", "style"]).map((cells) =>
    button(cells === "result" ? "Result view" : "Style view", () => app.look({ cells }), { "data-cells": cells }));
  let unfolded = false;
  const fold = button("", () => { unfolded = !unfolded; app.announce(); }, { class: "quiet" });
  const element = h("section", { class: "panel matrix-panel", "aria-label": "Style matrix" },
    h("header", {}, h("h2", {}, "Style matrix"), h("div", { class: "switch", role: "group", "aria-label": "Cells show" }, ...views),
      h("label", { class: "field small" }, h("span", {}, "groups"), groups)),
    h("p", { class: "note" }, "A cell puts its style into its layers; the slider below goes there by degrees. Shift and a click choose where the slider starts."),
    h("div", { class: "scroller", tabindex: -1 }, table), fold);
  /** @type {Part[]} */
  let parts = [];
  let built = "";

  const show = () => {
    if (document.activeElement !== groups) groups.value = String(app.doc.groups);
    for (const view of views) view.setAttribute("aria-pressed", String(view.dataset.cells === app.view.cells));
    const folded = app.doc.styles.filter(({ hidden }) => hidden).length;
    fold.hidden = folded === 0;
    fold.textContent = `${unfolded ? "Fold away" : "Hidden"} (${folded})`;
    fold.setAttribute("aria-expanded", String(unfolded));
    const structure = JSON.stringify([app.doc.groups, app.doc.styles, Boolean(app.item), unfolded]);
    if (structure !== built) {
      parts = app.item ? rebuilt(app, table, rowsOf(app, unfolded)) : [];
      built = structure;
    }
    for (const part of parts) part.show();
  };
  return { element, show };
}

/** @param {App} app */
function groupCount(app) {
  const input = h("input", { type: "number", min: 1, max: app.facts.layers, "aria-label": "Groups of layers",
    disabled: !app.backend.live, title: app.backend.live ? "" : WHY });
  input.addEventListener("change", () => {
    const count = Math.min(app.facts.layers, Math.max(1, Math.round(Number(input.value)) || 1));
    app.edit((doc) => regroup(doc, count));
  });
  return input;
}

/** The specs whose pictures the cells need. @param {App} app @param {"result" | "style"} [cells] what they show @returns {Spec[]} */
export function cellSpecs(app, cells = app.view.cells) {
  const item = app.item;
  if (!item) return [];
  if (cells === "style") return rowSpecs(app);
  const groups = groupsOf(app.facts.layers, app.doc.groups);
  return rowsOf(app).flatMap(({ id }) => groups.map((group) => withStyle(item.now, group, id)));
}

/** The rows' styles by themselves. @param {App} app @returns {Spec[]} */
export function rowSpecs(app) {
  return rowsOf(app).map(({ id }) => plain(id, app.facts.layers));
}

/** Rows in their order: starred ones first. @param {App} app @param {boolean} [all] also those that are folded away, last */
function rowsOf(app, all = false) {
  const rows = app.doc.styles.filter(({ hidden }) => all || !hidden);
  return rows.toSorted((a, b) => Number(Boolean(a.hidden)) - Number(Boolean(b.hidden)) || Number(Boolean(b.starred)) - Number(Boolean(a.starred)));
}

/** The table anew, with the focus where it was. @param {App} app @param {Element} table @param {Style[]} styles */
function rebuilt(app, table, styles) {
  const focused = document.activeElement;
  const place = focused && table.contains(focused) && ["data-place", "data-row"].map((name) => [name, focused.getAttribute(name)]).find(([, value]) => value);
  const parts = build(app, table, styles);
  const again = place && table.querySelector(`[${place[0]}="${place[1]}"]`);
  if (again instanceof HTMLElement) again.focus({ preventScroll: true });
  return parts;
}

/** The table anew; what gives are its parts, each to be shown again when something changes. @param {App} app @param {Element} table @param {Style[]} styles */
function build(app, table, styles) {
  const groups = groupsOf(app.facts.layers, app.doc.groups);
  const heads = groups.map((group) => makeHead(app, group));
  const titles = styles.map((style) => rowHead(app, style));
  const rows = styles.map((style, row) => groups.map((group, column) => makeCell(app, style, group, row, column)));
  const slides = groups.map((group) => makeSlide(app, group));
  fill(table, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "style"), ...heads.map(({ element }) => element))),
    h("tbody", {}, ...titles.map((title, row) => h("tr", { class: styles[row]?.hidden ? "folded" : null }, title.element,
      ...(rows[row] ?? []).map(({ element }) => h("td", {}, element))))),
    h("tfoot", {}, h("tr", {}, h("th", { scope: "row" }, "from → to"), ...slides.map(({ element }) => h("td", {}, element)))));
  return [...heads, ...titles, ...rows.flat(), ...slides];
}

/** The style by itself, its name, and what can be done with the row. @param {App} app @param {Style} style @returns {Part} */
function rowHead(app, style) {
  const image = h("img", { alt: "", class: "crisp" });
  const name = rename("the row", () => style.name, (text) => text && app.edit((doc) => changeStyle(doc, style.id, { name: text })));
  const mark = star(() => app.edit((doc) => changeStyle(doc, style.id, { starred: !style.starred })));
  mark.element.dataset.row = `star ${style.id}`;
  mark.show(Boolean(style.starred), style.name);
  const element = h("th", { scope: "row" }, h("div", { class: "row-head" }, image, name.element, h("div", { class: "row-actions" }, mark.element,
    button(style.hidden ? "show" : "hide", () => app.edit((doc) => changeStyle(doc, style.id, { hidden: !style.hidden })),
      { class: "quiet", "data-row": `hide ${style.id}`, "aria-label": `${style.hidden ? "Show" : "Hide"} the row ${style.name}` }),
    button("×", () => app.edit((doc) => removeStyle(doc, style.id)), { class: "remove", "aria-label": `Remove the row ${style.name}`, title: "Remove this row" }))));
  const show = () => {
    setImage(image, app.pictures.of(plain(style.id, app.facts.layers)));
    name.show();
  };
  return { element, show };
}

/** @param {App} app @param {Group} group @returns {Part} */
function makeHead(app, group) {
  const mixed = h("small", {});
  const show = () => { mixed.textContent = app.item && disagree(app.item.now, group) ? " mixed" : ""; };
  return { element: h("th", { scope: "col" }, layersText(group), mixed), show };
}
