// @ts-check
/** What the ranking rests on: what the models use, how accurate they are, how well factors can be read. */
import { h } from "./elements.js";
import { ALL, distinct, number } from "./data.js";
import { dotAndBar } from "./dots.js";

/** @typedef {import("./data.js").Row} Row */

/** @param {Row[]} rows @param {string} suite */
const within = (rows, suite) => rows.filter((row) => suite === ALL || row["suite"] === suite);

/**
 * Share of images whose class each factor turns, model by model.
 * @param {Row[]} rows
 * @param {string} suite
 */
export function truth(rows, suite) {
  return h("section", {}, h("h2", {}, "What the models use"),
    h("p", { class: "note" }, "Share of images whose class changes when the factor is drawn anew and nothing else. Bold: used; grey: undecided."),
    ...distinct(within(rows, suite), "suite").map((name) => {
      const mine = rows.filter((row) => row["suite"] === name);
      const factors = distinct(mine, "factor");
      const find = (/** @type {string} */ model, /** @type {string} */ factor) => mine.find((row) => row["model"] === model && row["factor"] === factor);
      const share = (/** @type {string} */ model, /** @type {string} */ factor) => {
        const one = find(model, factor);
        const kind = one?.["used"] === true ? " used" : one?.["used"] === false ? "" : " undecided";
        const title = one ? `${number(one["flips_low"])} to ${number(one["flips_high"])}; effect ${number(one["effect"])} nats` : "";
        return h("td", { class: `number${kind}`, title }, number(one?.["flips"]));
      };
      const head = h("tr", {}, h("th", { scope: "col" }, "Model"), ...factors.map((factor) => h("th", { scope: "col", class: "number" }, factor)));
      const body = distinct(mine, "model").map((model) => h("tr", {}, h("th", { scope: "row" }, short(model)), ...factors.map((factor) => share(model, factor))));
      return foldable(`truth-${name}`, name, h("table", {}, h("thead", {}, head), h("tbody", {}, ...body)));
    }));
}

const KINDS = [["aligned", "as in training"], ["decorrelated", "cause unrelated"], ["conflicting", "cause misleads"]];

/**
 * Accuracy by dose.
 * @param {Row[]} rows
 * @param {string} suite
 */
export function models(rows, suite) {
  const shown = within(rows, suite);
  const scale = { from: 0, to: 1, lines: [] };
  return h("section", {}, h("h2", {}, "How accurate they are"),
    h("p", { class: "note" }, "A biased model is right while the cause goes with the class, and wrong where it misleads; a clean twin does not care."),
    ...distinct(shown, "suite").map((name) => foldable(`models-${name}`, name, h("table", {},
      h("thead", {}, h("tr", {}, ...["Model", "Dose"].map((text) => h("th", { scope: "col" }, text)), ...KINDS.map(([, text]) => h("th", { scope: "col", colspan: 2 }, text)))),
      h("tbody", {}, ...shown.filter((row) => row["suite"] === name).map((row) => h("tr", {}, h("th", { scope: "row" }, short(row["model"])), h("td", { class: "number" }, number(row["dose"])),
        ...KINDS.flatMap(([kind = ""]) => (row[kind] === null ? [h("td", { colspan: 2 }, "·")] : [
          h("td", { class: "number" }, number(row[kind])),
          h("td", { class: "small" }, dotAndBar({ value: row[kind], low: row[`${kind}_low`], high: row[`${kind}_high`] }, { ...scale, label: `${number(row[kind])}` }))])))))))));
}

/**
 * How well each factor is read off an image.
 * @param {Row[]} rows
 * @param {string} suite
 */
export function readers(rows, suite) {
  const shown = within(rows, suite);
  return h("section", {}, h("h2", {}, "How well factors are read"),
    h("p", { class: "note" }, "Counterfactuals and edits are read by a network that learned the factors from other images. A factor that cannot be read is not scored for them; heatmaps need no reader."),
    shown.length ? h("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": "Readers" }, h("table", { class: "narrow" },
      h("thead", {}, h("tr", {}, ...["Suite", "Factor", "Measure", "Quality", "Scored"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, ...shown.map((row) => h("tr", {}, h("td", {}, row["suite"]), h("th", { scope: "row" }, row["factor"]), h("td", {}, row["kind"]),
        h("td", { class: "number" }, number(row["quality"])), h("td", {}, row["scored"] ? "yes" : "no")))))) : h("p", {}, "No method here needed one."));
}

/** @param {string} key @param {string} title @param {HTMLElement} content */
function foldable(key, title, content) {
  return h("details", { class: key }, h("summary", {}, title), h("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": title }, content));
}

/** @param {string} model */
const short = (model) => model.split("/").slice(1).join("/");
