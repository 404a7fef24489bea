// @ts-check
import { DataElement, define, h } from "./elements.js";
import { ARROWS, format } from "./numbers.js";

/** @typedef {import("./document.js").MetricTable} MetricTable */
/** @typedef {import("./document.js").MetricRow} MetricRow */
/** @typedef {import("./document.js").Cell} Cell */

const WORDS = { higher: "higher is better", lower: "lower is better", neither: "neither way is better" };

/**
 * Means of every metric and explanation. The best of a row is marked only where its numbers compare.
 * @extends {DataElement<MetricTable>}
 */
export class SlMetricTable extends DataElement {
  /** @param {MetricTable} data */
  draw({ columns, rows }) {
    const head = h("tr", {}, h("th", { scope: "col" }, "Metric"), ...columns.map((name) => h("th", { scope: "col", class: "number" }, name)));
    this.append(h("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": "Metric table" },
      h("table", {}, h("thead", {}, head), h("tbody", {}, ...rows.map((row) => this.#row(row, columns))))));
  }

  /** @param {MetricRow} row @param {string[]} columns */
  #row(row, columns) {
    const arrow = ARROWS[row.better] && h("span", { class: "better", role: "img", "aria-label": WORDS[row.better], title: WORDS[row.better] }, ARROWS[row.better]);
    const heading = h("th", { scope: "row" }, h("details", {},
      h("summary", {}, row.name, " ", arrow, h("span", { class: "unit" }, row.unit)), this.#settings(row)));
    return h("tr", {}, heading, ...columns.map((name) => cell(row.cells[name], row.best.includes(name))));
  }

  /** @param {MetricRow} row */
  #settings(row) {
    const groups = new Map();
    for (const [name, { settings }] of Object.entries(row.cells)) {
      const text = Object.entries(settings).map(([key, value]) => `${key} ${value}`).join(", ");
      groups.set(text, [...(groups.get(text) ?? []), name]);
    }
    const lines = [...groups].filter(([text]) => text).map(([text, names]) => h("li", {}, groups.size > 1 ? `${names.join(", ")}: ${text}` : text));
    return h("div", { class: "about" }, h("p", {}, h("b", {}, `${row.metric}: `), `${row.help} ${capital(WORDS[row.better])}.`),
      lines.length ? h("ul", {}, ...lines) : null, row.reason ? h("p", {}, `Not ranked: ${row.reason}.`) : null);
  }
}

/** @param {Cell | undefined} found @param {boolean} best */
function cell(found, best) {
  if (!found) return h("td", { class: "number none" }, h("span", { "aria-label": "not measured" }, "·"));
  const partial = found.applies < found.of && h("small", {}, `${found.applies} of ${found.of}`);
  return h("td", { class: `number${best ? " best" : ""}` }, h("span", {}, format(found.mean)), best && h("span", { class: "sr" }, " (best)"), partial);
}

/** @param {string} text */
function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

define("sl-metric-table", SlMetricTable);
