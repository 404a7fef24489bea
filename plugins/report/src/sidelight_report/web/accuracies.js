// @ts-check
import { h } from "./elements.js";
import { percent } from "./numbers.js";
import { section } from "./sections.js";

/**
 * How good each classifier is; null where nothing was measured.
 * @param {import("./document.js").Accuracies} table
 */
export function accuracies({ names, rows }) {
  if (!rows.length) return null;
  const head = h("tr", {}, h("th", { scope: "col" }, "Classifier"), h("th", { scope: "col" }, "Split"), ...names.map((text) => h("th", { scope: "col", class: "number" }, text)));
  const body = rows.map(({ classifier, split, values }) => h("tr", {}, h("th", { scope: "row" }, classifier), h("td", {}, split),
    ...values.map((value) => h("td", { class: "number" }, percent(value)))));
  return section("classifiers", "Classifiers",
    h("p", { class: "note" }, "Measured after training, on images that were not trained on. False positives are images of other classes that are called so."),
    h("div", { class: "scroller accuracies", tabindex: 0, role: "region", "aria-label": "Accuracies" }, h("table", {}, h("thead", {}, head), h("tbody", {}, ...body))));
}
