// @ts-check
/** Rank correlations between maps, mean over images. */
import { h } from "./elements.js";
import { section } from "./sections.js";

/** @typedef {import("./document.js").Report} Report */

/** @param {Report} report */
export function agreement({ agreement: found }) {
  if (!found) return null;
  const { names, rho, different, images } = found;
  const head = h("tr", {}, h("td", {}), ...names.map((name) => h("th", { scope: "col", class: "number" }, name)));
  const rows = names.map((name, a) => h("tr", {}, h("th", { scope: "row" }, name), ...names.map((_, b) => cell(rho[a]?.[b] ?? null, a === b))));
  const base = different === null ? "" : ` Two maps of different images correlate by ${written(different)}: so much comes from where things usually are.`;
  return section("agreement", "Where maps agree",
    h("p", { class: "note" }, `Spearman's rank correlation of the magnitudes of two maps over at most 16 × 16 cells, in the mean of ${images} image${images === 1 ? "" : "s"}; the change of a counterfactual counts as a map.${base} Heuristic: agreement is no evidence that maps are right.`),
    h("div", { class: "scroller agreement", tabindex: 0, role: "region", "aria-label": "Rank correlation of maps" }, h("table", {}, h("thead", {}, head), h("tbody", {}, ...rows))));
}

/** @param {number | null} value @param {boolean} same */
function cell(value, same) {
  const element = h("td", { class: "number" }, same ? "" : written(value));
  if (!same && value !== null) element.style.background = `color-mix(in srgb, var(--series-0) ${Math.round(45 * Math.max(0, value))}%, transparent)`;
  return element;
}

/** @param {number | null} value */
function written(value) {
  return value === null ? "–" : value.toFixed(2).replace("-", "−");
}
