// @ts-check
/** The first images with all their maps, small: a column for each image, a row for each explainer. */
import "./picture.js";
import { h } from "./elements.js";
import { sectionOf } from "./kinds.js";
import { percent } from "./numbers.js";
import { section } from "./sections.js";

/** @typedef {import("./document.js").Report} Report */
/** @typedef {import("./document.js").Card} Card */

const COLUMNS = 10;
const [NAMES, WIDEST] = [140, 230]; // pixels of the first column, and of a column of pictures at most

/** Null where there is nothing to compare. @param {Report} report */
export function glance(report) {
  const shown = report.explainers.filter(({ kind }) => sectionOf(kind).map);
  if (shown.length < 2 || report.images.length < 2) return null;
  const cards = report.images.slice(0, COLUMNS);
  const head = h("tr", {}, h("th", { scope: "col" }, "Input"), ...cards.map(input));
  const rows = shown.map(({ id, about }) => h("tr", {}, h("th", { scope: "row" }, id, about && h("small", {}, about)), ...cards.map((card) => cell(id, card))));
  const table = h("table", { class: "glance" }, h("thead", {}, head), h("tbody", {}, ...rows));
  table.style.maxWidth = `${NAMES + WIDEST * cards.length}px`; // few images would fill the page with one row
  return section("glance", "At a glance",
    h("p", { class: "note" }, legend(shown.map(({ kind }) => kind))),
    h("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": "At a glance" },
      table));
}

/** @param {Card} card @param {number} at */
function input(card, at) {
  const picture = h("sl-picture");
  picture.data = { picture: card.picture, label: `Input ${card.id}` };
  const [predicted, probe] = ["predicted", "probe"].map((wanted) => card.classes.find(({ part }) => part === wanted)?.name);
  const sides = probe === undefined ? noun(predicted) : `${noun(predicted)}, not ${noun(probe)}?`;
  return h("th", { scope: "col" }, h("a", { href: `#image-${at + 1}` }, sides), picture);
}

/** Digits as they are, names in quotes: a name may be “not smiling”. @param {string | undefined} name */
function noun(name = "") {
  return /^\d+$/.test(name) ? name : `“${name}”`;
}

/** @param {string} explainer @param {Card} card */
function cell(explainer, card) {
  const entry = card.explanations.find((candidate) => candidate.explainer === explainer);
  const map = entry ? sectionOf(entry.kind).map?.(entry, card) : null;
  const verdicts = entry?.kind === "counterfactual" ? entry.judges ?? [] : [];
  return h("td", {}, map ?? h("p", { class: "note" }, "no answer"), ...verdicts.map(({ name, says, sure }) => h("p", { class: "note" }, `${name}: ${says}, ${percent(sure)}`)));
}

/** @param {string[]} kinds */
function legend(kinds) {
  return [...new Set(kinds.map((kind) => sectionOf(kind).legend))].filter(Boolean).join(" ");
}
