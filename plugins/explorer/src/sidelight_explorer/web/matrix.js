// @ts-check
/** The style matrix: columns are groups of layers, rows are styles; each cell says what it would do to the score. */
import { makeCell } from "./cell.js";
import { WHY } from "./disk.js";
import { button, fill, h } from "./dom.js";
import { regroup, removeStyle } from "./edits.js";
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
  const element = h("section", { class: "panel matrix-panel", "aria-label": "Style matrix" },
    h("header", {}, h("h2", {}, "Style matrix"), h("div", { class: "switch", role: "group", "aria-label": "Cells show" }, ...views),
      h("label", { class: "field small" }, h("span", {}, "groups"), groups)),
    h("p", { class: "note" }, "A cell puts its style into its layers; the slider below goes there by degrees. Shift and a click choose where the slider starts."),
    h("div", { class: "scroller", tabindex: -1 }, table));
  /** @type {Part[]} */
  let parts = [];
  let built = "";

  const show = () => {
    if (document.activeElement !== groups) groups.value = String(app.doc.groups);
    for (const view of views) view.setAttribute("aria-pressed", String(view.dataset.cells === app.view.cells));
    const structure = JSON.stringify([app.doc.groups, app.doc.styles, Boolean(app.item)]);
    if (structure !== built) {
      parts = app.item ? build(app, table) : [];
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
  if (cells === "style") return app.doc.styles.map(({ id }) => plain(id, app.facts.layers));
  const groups = groupsOf(app.facts.layers, app.doc.groups);
  return app.doc.styles.flatMap(({ id }) => groups.map((group) => withStyle(item.now, group, id)));
}

/** The table anew; what gives are its parts, each to be shown again when something changes. @param {App} app @param {Element} table */
function build(app, table) {
  const groups = groupsOf(app.facts.layers, app.doc.groups);
  const heads = groups.map((group) => makeHead(app, group));
  const rows = app.doc.styles.map((style, row) => groups.map((group, column) => makeCell(app, style, group, row, column)));
  const slides = groups.map((group) => makeSlide(app, group));
  fill(table, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "style"), ...heads.map(({ element }) => element))),
    h("tbody", {}, ...app.doc.styles.map((style, row) => h("tr", {}, rowHead(app, style),
      ...(rows[row] ?? []).map(({ element }) => h("td", {}, element))))),
    h("tfoot", {}, h("tr", {}, h("th", { scope: "row" }, "from → to"), ...slides.map(({ element }) => h("td", {}, element)))));
  return [...heads, ...rows.flat(), ...slides];
}

/** @param {App} app @param {Style} style */
function rowHead(app, style) {
  return h("th", { scope: "row" }, h("span", {}, style.name), button("×", () => app.edit((doc) => removeStyle(doc, style.id)),
    { class: "remove", "aria-label": `Remove the row ${style.name}`, title: "Remove this row" }));
}

/** @param {App} app @param {Group} group @returns {Part} */
function makeHead(app, group) {
  const mixed = h("small", {});
  const show = () => { mixed.textContent = app.item && disagree(app.item.now, group) ? " mixed" : ""; };
  return { element: h("th", { scope: "col" }, layersText(group), mixed), show };
}
