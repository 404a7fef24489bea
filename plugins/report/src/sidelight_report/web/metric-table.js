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
      h("summary", {}, row.name, " ", arrow, h("span", { class: "unit" }, row.unit)), this.#settings(row)),
      row.depends && h("p", { class: "depends" }, `Which is better ${row.depends}.`));
    return h("tr", {}, heading, ...columns.map((name) => cell(row.cells[name], row.best.includes(name), row.varied)));
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
      lines.length ? h("ul", {}, ...lines) : null, variants(row), row.reason ? h("p", {}, `Not ranked: ${row.reason}.`) : null);
  }
}

/** @param {Cell | undefined} content @param {boolean} best @param {string} varied */
function cell(content, best, varied) {
  if (!content) return h("td", { class: "number none" }, h("span", { "aria-label": "not measured" }, "·"));
  const partial = content.applies < content.of && h("small", {}, `${content.applies} of ${content.of}`);
  const interval = content.interval && content.interval[0] < content.interval[1]
    && h("small", { class: "interval", title: "95 % confidence interval of the mean over images" }, `${format(content.interval[0], 2)} to ${format(content.interval[1], 2)}`);
  return h("td", { class: `number${best ? " best" : ""}` }, h("span", {}, format(content.mean)), best && h("span", { class: "sr" }, " (best)"),
    interval, range(content, varied), partial);
}

/** Lowest and highest mean over the conditions that were varied. @param {Cell} content @param {string} varied */
function range({ variants }, varied) {
  const means = Object.values(variants).filter((mean) => mean !== null);
  if (means.length < 2) return false;
  const text = Object.entries(variants).map(([name, mean]) => `${name} ${format(mean)}`).join(", ");
  return h("small", { class: "range", title: text }, h("span", { class: "sr" }, `by ${varied} `), `[${format(Math.min(...means), 2)} to ${format(Math.max(...means), 2)}]`);
}

/** The means by the condition that was varied. @param {MetricRow} row */
function variants({ varied, cells }) {
  const names = Object.keys(Object.values(cells)[0]?.variants ?? {});
  if (!names.length) return null;
  const columns = Object.keys(cells);
  return h("table", { class: "variants" }, h("caption", {}, `By ${varied}`),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, varied), ...columns.map((name) => h("th", { scope: "col", class: "number" }, name)))),
    h("tbody", {}, ...names.map((name) => h("tr", {}, h("th", { scope: "row" }, name),
      ...columns.map((column) => h("td", { class: "number" }, format(cells[column]?.variants[name] ?? null)))))));
}

/** @param {string} text */
function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

define("sl-metric-table", SlMetricTable);
