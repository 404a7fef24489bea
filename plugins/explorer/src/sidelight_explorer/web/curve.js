// @ts-check
/** Response curve: the score along a slider, or from one style to another; of the selected image, and over random draws. */
import { WHY } from "./disk.js";
import { button, download, field, fill, h } from "./dom.js";
import { MOST_KEPT, addCurve } from "./edits.js";
import { amountOf, leastOf, linesOf, nameOf, slidersOf, withAmount } from "./names.js";
import { curvePlot } from "./plot.js";
import { drawId, groupsOf, plain, withLayers } from "./spec.js";
import { csv } from "./table.js";
import { layersText, styleName } from "./words.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./types.js").Curve} Curve */
/** @typedef {import("./types.js").Spec} Spec */

const POINTS = 21;

/** @param {App} app */
export function curve(app) {
  const [along, from, to, layers, keep] = [h("select", {}), h("select", {}), h("select", {}), h("select", {}), h("select", { "aria-label": "Hypothesis to keep it with" })];
  const [count, seed] = [h("input", { type: "number", min: 0, max: 60, value: 24 }), h("input", { type: "number", min: 0, max: (app.facts.draws?.seeds ?? 2 ** 31) - 1, value: Math.min(1, (app.facts.draws?.seeds ?? 2) - 1) })];
  const run = button("Draw the curve", () => void start(), { disabled: !app.backend.measures, title: app.backend.measures ? "" : WHY });
  const [state, plot] = [h("span", { class: "note", role: "status" }, app.backend.measures ? "" : `A curve ${WHY}.`), h("div", {})];
  const styles = [field("from", from), field("to", to), field("in", layers)];
  const keeping = h("div", { class: "actions" }, button("Keep with", () => keepIt()), keep,
    button("Table", () => { if (found) download(new Blob([table(found)], { type: "text/csv" }), `${app.facts.name}-curve.csv`); }));
  const element = h("section", { class: "panel curve-panel", "aria-label": "Response curve" }, h("header", {}, h("h2", {}, "Response curve")),
    h("fieldset", { disabled: !app.backend.measures }, field("along", along), ...styles, field("and draws", count), field("seed", seed), run, state), plot, keeping);
  /** @type {Curve | undefined} */
  let found;
  const keepIt = () => {
    const [curve, note] = [found, app.doc.notes.find(({ id }) => id === keep.value)];
    if (curve && note && (note.curves?.length ?? 0) < MOST_KEPT) app.edit((doc) => addCurve(doc, note.id, curve));
    else if (note) app.say(`A hypothesis keeps ${MOST_KEPT} curves: keep this one with another.`);
  };
  let filled = "";

  const show = () => {
    const item = app.item;
    const lines = linesOf(slidersOf(app)).map((line) => /** @type {[string, string]} */ ([line.up.id, nameOf(app, line)]));
    const key = JSON.stringify([lines, app.doc.styles, app.doc.groups, item?.id, app.doc.notes.map(({ id, text }) => [id, text])]);
    if (key !== filled) {
      refill(along, [...lines, ["", "styles"]], filled === "");
      const rows = /** @type {[string, string][]} */ ([...app.doc.styles.map(({ id, name }) => [id, name]), ["average", "average"]]);
      refill(from, [["", "its own"], ...rows]);
      refill(to, rows);
      refill(layers, [["", "all layers"], ...groupsOf(app.facts.layers, app.doc.groups).map((group, index) => /** @type {[string, string]} */ ([String(index), layersText(group)]))]);
      refill(keep, app.doc.notes.map(({ id, text }) => [id, text.length > 40 ? `${text.slice(0, 39)}…` : text]));
      filled = key;
    }
    for (const one of styles) one.hidden = along.value !== "";
    keeping.hidden = !found;
    for (const one of /** @type {NodeListOf<HTMLButtonElement | HTMLSelectElement>} */ (keeping.querySelectorAll("button:first-child, select"))) {
      [one.disabled, one.title] = [!app.doc.notes.length, app.doc.notes.length ? "Saved with the hypothesis" : "Note a hypothesis first"];
    }
  };
  along.addEventListener("change", show);

  const start = async () => {
    const item = app.item;
    if (!item) return;
    const line = linesOf(slidersOf(app)).find(({ up }) => up.id === along.value) ?? null;
    const { positions, at, text } = line ? alongSlider(app, line) : betweenStyles(app, [from.value, to.value], layers.value);
    const draws = Array.from({ length: Math.min(60, Math.max(0, count.valueAsNumber || 0)) }, (_, index) => plain(drawId(seed.valueAsNumber || 0, index, 100), app.facts.layers));
    const rows = [item.now, ...draws].map((spec) => positions.map((percent) => at(spec, percent)));
    [run.disabled, state.textContent] = [true, "computing …"];
    const { id, target } = { id: app.classifier.id, target: app.view.target };
    const scores = await app.tell(app.backend.curve(rows, id, target));
    [run.disabled, state.textContent] = [false, ""];
    const [first, ...others] = scores ?? [];
    if (!first) return;
    found = { along: text, image: item.name, classifier: id, target, positions, scores: first, ...(others.length > 1 && { band: bandOf(others) }) };
    fill(plot, curvePlot(found, scaleOf(app), line && amountOf(item.now, line)), h("p", { class: "note" },
      `Score of “${app.classifier.classes[target] ?? target}”: ${item.name}, the line${found.band ? `; ${found.band.count} random draws, mean (dashed) and the middle 80 % (band)` : ""}.`));
    show();
  };
  return { element, show };
}

/** Positions in percent, the spec at each of them, and what is varied in words. @param {App} app @param {import("./names.js").Line} line */
function alongSlider(app, line) {
  const least = leastOf(line);
  return {
    positions: Array.from({ length: POINTS }, (_, index) => Math.round(least + index / (POINTS - 1) * (100 - least))), text: `${nameOf(app, line)}, %`,
    at: (/** @type {Spec} */ spec, /** @type {number} */ percent) => withAmount(spec, line, percent),
  };
}

/**
 * The same from one style to another.
 * @param {App} app
 * @param {[string, string]} styles an empty start stands for each image's own
 * @param {string} group index of a group, empty for all layers
 */
function betweenStyles(app, [start, end], group) {
  const range = group === "" ? /** @type {[number, number]} */ ([0, app.facts.layers]) : groupsOf(app.facts.layers, app.doc.groups)[Number(group)] ?? [0, app.facts.layers];
  return {
    positions: Array.from({ length: POINTS }, (_, index) => index * 100 / (POINTS - 1)), text: `${layersText(range)}: ${styleName(app, start || null)} to ${styleName(app, end)}, %`,
    at: (/** @type {Spec} */ spec, /** @type {number} */ percent) => withLayers(spec, range, ([own]) => [start || own, end, percent]),
  };
}

/** Mean and the middle 80 % of rows of scores. @param {number[][]} rows */
function bandOf(rows) {
  const columns = (rows[0] ?? []).map((_, place) => rows.map((row) => row[place] ?? NaN).toSorted((a, b) => a - b));
  /** @param {number} share */
  const quantile = (share) => columns.map((values) => {
    const place = share * (values.length - 1);
    const [low, high] = [values[Math.floor(place)] ?? NaN, values[Math.ceil(place)] ?? NaN];
    return Number((low + (high - low) * (place % 1)).toFixed(5));
  });
  return { count: rows.length, mean: columns.map((values) => Number((values.reduce((sum, value) => sum + value, 0) / values.length).toFixed(5))), low: quantile(0.1), high: quantile(0.9) };
}

/** Ends of the scores. @param {App} app */
function scaleOf(app) {
  return app.classifier.task === "regression" ? null : { low: app.classifier.task === "binary" ? -1 : 0, high: 1 };
}

/** Other options; what was chosen stays. @param {HTMLSelectElement} select @param {[string, string][]} options @param {boolean} [anew] choose the first */
function refill(select, options, anew = false) {
  const chosen = select.value;
  fill(select, ...options.map(([value, text]) => h("option", { value }, text)));
  if (!anew && options.some(([value]) => value === chosen)) select.value = chosen;
}

/** @param {Curve} found */
function table({ positions, scores, band }) {
  return csv([["percent", "score", ...(band ? ["mean of draws", "10th percentile", "90th percentile"] : [])], ...positions.map((position, index) => [position, scores[index] ?? "", ...(band ? [band.mean[index] ?? "", band.low[index] ?? "", band.high[index] ?? ""] : [])])]);
}
