// @ts-check
import { h } from "./elements.js";
import { ALL, distinct, number, rowsOf } from "./data.js";
import { dotAndBar, strip } from "./dots.js";
import { costs } from "./scatter.js";
import { models, readers, truth } from "./evidence.js";

/** @typedef {import("./data.js").Row} Row */

const source = JSON.parse(/** @type {HTMLElement} */ (document.getElementById("document")).textContent ?? "{}");
const TABLES = Object.fromEntries(Object.entries(source).map(([name, table]) => [name, rowsOf(/** @type {any} */ (table))]));
const [BOARD, CELLS, TRUTH] = [TABLES["leaderboard"] ?? [], TABLES["cells"] ?? [], TABLES["truth"] ?? []];

/** @type {Record<string, { name: string, low: string, high: string, from: number, better: number, help: string, chance: number | null }>} */
const MEASURES = {
  auroc: { name: "AUROC", low: "low", high: "high", from: 0, better: 1, chance: 0.5,
    help: "Chance that a model that uses a factor scores higher on it than one that does not. 1 is perfect, 0.5 is guessing." },
  rank_correlation: { name: "rank correlation", low: "rank_correlation_low", high: "rank_correlation_high", from: -1, better: 1, chance: 0,
    help: "Spearman's, of the scores and of the true effects: over the factors of each model, or, for one factor, over the models." },
  false_alarms: { name: "false alarms", low: "false_alarms_low", high: "false_alarms_high", from: 0, better: -1, chance: 0.75,
    help: "Share of clean twins at or above the threshold that finds 90 % of the models that use the factor. 0 is perfect; guessing gives 0.75 where three models use it, and up to 0.9 where more do." },
  dose_response: { name: "dose response", low: "dose_response_low", high: "dose_response_high", from: -1, better: 1, chance: 0,
    help: "Spearman's, of the scores and of the strength of the planted cause that a model learned from." },
};
const FIXED = ["baseline", "ceiling"];
/** Suites and their factors that some method has a score of; others cannot be read at all. */
const SPOKEN = new Set(CELLS.filter((cell) => cell["score"] !== null && cell["family"] !== "ceiling").map((cell) => `${cell["suite"]}: ${cell["factor"]}`));

const state = { suite: ALL, factor: ALL, measure: "auroc", sort: "score", down: true, open: "" };

/** Method to its row in the chosen suite and factor. */
function inScope() {
  return BOARD.filter((row) => row["suite"] === state.suite && row["factor"] === state.factor);
}

function sorted() {
  const measure = /** @type {(typeof MEASURES)[string]} */ (MEASURES[state.measure]);
  /** @type {Record<string, (row: Row) => number | string | null>} */
  const keys = {
    score: (row) => (row[state.measure] === null ? null : measure.better * row[state.measure]),
    method: (row) => row["method"],
    family: (row) => row["family"],
    seconds: (row) => row["seconds"],
    passes: (row) => row["passes"],
  };
  const key = /** @type {(row: Row) => number | string | null} */ (keys[state.sort]);
  const sign = state.down ? -1 : 1;
  return inScope().sort((a, b) => {
    const [one, other] = [key(a), key(b)];
    if (one === null || other === null) return Number(one === null) - Number(other === null) || (a["method"] < b["method"] ? -1 : 1); // last, whichever way
    return (one < other ? -1 : one > other ? 1 : 0) * sign || (state.sort === "score" ? surer(a, b, measure) : 0) || (a["method"] < b["method"] ? -1 : 1);
  });
}

/** Of two rows with the same score, the one whose interval reaches less far down comes first. @param {Row} a @param {Row} b @param {(typeof MEASURES)[string]} measure */
function surer(a, b, measure) {
  return measure.better > 0 ? b[measure.low] - a[measure.low] : a[measure.high] - b[measure.high];
}

function controls() {
  const factors = distinct(BOARD.filter((row) => row["suite"] === state.suite), "factor");
  const suite = select("suite", "Suite", distinct(BOARD, "suite"), (value) => Object.assign(state, { suite: value, factor: ALL }));
  const factor = select("factor", "Factor", factors, (value) => Object.assign(state, { factor: value }));
  const measure = select("measure", "Measure", Object.keys(MEASURES), (value) => Object.assign(state, { measure: value }),
    (name) => MEASURES[name]?.name ?? name);
  return h("div", { class: "controls" }, suite, factor, measure);
}

/**
 * @param {"suite" | "factor" | "measure"} name
 * @param {string} title
 * @param {string[]} values
 * @param {(value: string) => void} choose
 * @param {(value: string) => string} [show]
 */
function select(name, title, values, choose, show = (value) => (value === ALL ? `all ${name === "suite" ? "suites" : "factors"}` : value)) {
  const box = h("select", { id: name }, ...values.map((value) => h("option", { value, selected: value === state[name] }, show(value))));
  box.addEventListener("change", () => { choose(box.value); draw(); document.getElementById(name)?.focus(); });
  return h("label", { for: name }, h("span", {}, title), box);
}

function table() {
  const measure = /** @type {(typeof MEASURES)[string]} */ (MEASURES[state.measure]);
  const rows = sorted();
  const at = (/** @type {string} */ method) => rows.find((row) => row["method"] === method)?.[state.measure] ?? null;
  const scale = {
    from: measure.from, to: 1,
    lines: [{ at: measure.chance, class: "chance" }, { at: at("bench/oracle"), class: "ceiling" }],
  };
  const head = h("tr", {}, heading("method", "Method"), heading("family", "Family"), heading("score", measure.name, "score"),
    h("th", { scope: "col" }, "95 % interval"), heading("seconds", "s / image", "number"), heading("passes", "passes", "number"), h("th", { scope: "col" }, "Note"));
  return h("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": "Leaderboard" },
    h("table", { class: "board" }, h("thead", {}, head), h("tbody", {}, ...rows.flatMap((row) => entry(row, measure, scale)))));
}

/** @param {string} key @param {string} text @param {string} [kind] */
function heading(key, text, kind = "") {
  const button = h("button", { type: "button", id: `by-${key}` }, text, state.sort === key ? h("span", { "aria-hidden": "true" }, state.down ? " ↓" : " ↑") : null);
  button.addEventListener("click", () => {
    Object.assign(state, state.sort === key ? { down: !state.down } : { sort: key, down: key === "score" });
    draw();
    document.getElementById(`by-${key}`)?.focus();
  });
  return h("th", { scope: "col", class: kind, "aria-sort": state.sort === key ? (state.down ? "descending" : "ascending") : "none" }, button);
}

/**
 * @param {Row} row
 * @param {(typeof MEASURES)[string]} measure
 * @param {{ from: number, to: number, lines: any[] }} scale
 */
function entry(row, measure, scale) {
  const method = row["method"], value = row[state.measure], low = row[measure.low], high = row[measure.high], open = state.open === method;
  const said = value === null ? "no value" : `${number(value)}, ${number(low)} to ${number(high)}`;
  const button = h("button", { type: "button", class: "method", id: `row-${method}`, "aria-expanded": String(open) }, ...broken(method));
  button.addEventListener("click", () => show(open ? "" : method));
  const line = h("tr", { class: `${FIXED.includes(row["family"]) ? "fixed" : ""}${row["family"] === "yours" ? " yours" : ""}` },
    h("th", { scope: "row" }, button), h("td", {}, h("span", { class: `chip ${row["family"]}` }, row["family"])),
    h("td", { class: "score" }, dotAndBar({ value, low, high }, { ...scale, label: said })),
    h("td", { class: "interval" }, value === null ? "·" : h("b", {}, number(value)), value !== null && ` ${number(low)} to ${number(high)}`),
    h("td", { class: "number" }, number(row["seconds"])), h("td", { class: "number" }, row["passes"] === null ? "·" : String(Math.round(row["passes"]))),
    h("td", { class: "said" }, note(row)));
  return open ? [line, h("tr", { class: "detail" }, h("td", { colspan: 7 }, details(row)))] : [line];
}

/** A name that may break behind its slash. @param {string} method */
function broken(method) {
  return method.split(/(?<=\/)/).flatMap((part, index) => (index ? [h("wbr", {}), part] : [part]));
}

/** @param {string} method */
function show(method) {
  state.open = method;
  draw();
  document.getElementById(`row-${method}`)?.scrollIntoView({ block: "nearest" });
  document.getElementById(`row-${method}`)?.focus();
}

/** What keeps a number from being taken at its face. @param {Row} row */
function note(row) {
  const parts = [];
  if (row["auroc"] === null && row["cannot"]) parts.push("cannot say");
  else if (missed(row).length) parts.push(`cannot speak of ${missed(row).join(", ")}`);
  else if (row["auroc"] === null && !row["failed"]) parts.push(unranked(row));
  if (row["failed"]) parts.push("failed on some models");
  if (row["unstable"]) parts.push(`unstable over ${row["unstable"]}`);
  return parts.join("; ");
}

/** Factors of which other methods speak in the same suite, and this one cannot. @param {Row} row */
function missed(row) {
  return [...new Set(cellsOf(row).filter((cell) => cell["cannot"] && SPOKEN.has(`${cell["suite"]}: ${cell["factor"]}`)).map((cell) => cell["factor"]))];
}

/** Why no models can be compared. @param {Row} row */
function unranked(row) {
  const uses = cellsOf(row).filter((cell) => cell["score"] !== null).map(used);
  if (!uses.length) return "no answer";
  if (!uses.includes(true)) return "no model is known to use it";
  return uses.includes(false) ? "no factor has both kinds of models" : "no model is known not to use it";
}

/** Cells of a method in the chosen suite and factor. @param {Row} row */
function cellsOf(row) {
  return CELLS.filter((cell) => cell["method"] === row["method"] && (state.suite === ALL || cell["suite"] === state.suite)
    && (state.factor === ALL || cell["factor"] === state.factor));
}

/** @param {Row} row */
function details(row) {
  const mine = cellsOf(row);
  const alike = row["no_difference_from"] ? row["no_difference_from"].split(" ") : [];
  const factors = distinct(mine.map((cell) => ({ key: `${cell["suite"]}: ${cell["factor"]}` })), "key");
  return h("div", { class: "details" },
    h("p", {}, `Pairs of a model and a factor: ${row["users"]} that use it, ${row["others"]} that do not.`,
      row["auroc"] === null ? null : alike.length ? ` No difference from ${alike.length} of the ${inScope().length - 1} others: ${alike.join(", ")}.` : " Different from all others."),
    row["cannot"] ? h("p", {}, `Cannot: ${row["cannot"]}`) : null,
    row["failed"] ? h("p", { class: "alert" }, `Failed: ${row["failed"]}`) : null,
    h("div", { class: "strips" }, ...factors.map((key) => factorStrip(key, mine.filter((cell) => `${cell["suite"]}: ${cell["factor"]}` === key)))),
    cellTable(mine));
}

/** @param {string} key @param {Row[]} cells */
function factorStrip(key, cells) {
  const points = cells.filter((cell) => cell["score"] !== null).map((cell) => ({ score: cell["score"], used: used(cell),
    title: `${cell["model"]}: ${number(cell["score"])}` }));
  const reason = cells.find((cell) => cell["cannot"])?.["cannot"];
  return h("figure", {}, h("figcaption", {}, key), points.length ? strip(points) : h("p", { class: "note" }, reason || "nothing was measured"));
}

/** @param {Row} cell @returns {boolean | null} */
function used(cell) {
  const one = TRUTH.find((row) => row["model"] === cell["model"] && row["factor"] === cell["factor"]);
  return typeof one?.["used"] === "boolean" ? one["used"] : null;
}

const MOST = 60;

/** Models, with the page of pictures and the recipe of each. @param {Row[]} cells */
function cellTable(cells) {
  const shown = cells.slice(0, MOST);
  const words = (/** @type {boolean | null} */ value) => (value === null ? "undecided" : value ? "uses it" : "does not");
  return h("details", { class: "cells" }, h("summary", {}, `Models and pictures (${cells.length})`),
    h("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": "Models" }, h("table", {},
      h("thead", {}, h("tr", {}, ...["Model", "Factor", "Truth", "Score", "Pictures", "Recipe"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, ...shown.map((cell) => h("tr", {}, h("th", { scope: "row" }, cell["model"]), h("td", {}, cell["factor"]), h("td", {}, words(used(cell))),
        h("td", { class: "number", title: cell["cannot"] || cell["failed"] || "" }, cell["score"] === null ? (cell["cannot"] ? "cannot" : cell["failed"] ? "failed" : "no answer") : `${number(cell["score"])} (${number(cell["low"])} to ${number(cell["high"])})`),
        h("td", {}, cell["run"] ? h("a", { href: cell["run"] }, "page") : "·"), h("td", {}, h("a", { href: cell["recipe"] }, "yaml"))))))),
    cells.length > MOST ? h("p", { class: "note" }, `${cells.length - MOST} more: choose a suite and a factor above, or see cells.csv.`) : null);
}

/** The answer in a sentence or two. */
function verdict() {
  const rows = inScope().filter((row) => row[state.measure] !== null);
  const measure = /** @type {(typeof MEASURES)[string]} */ (MEASURES[state.measure]);
  const ours = rows.filter((row) => !FIXED.includes(row["family"]))
    .sort((a, b) => measure.better * (b[state.measure] - a[state.measure]) || surer(a, b, measure) || (a["method"] < b["method"] ? -1 : 1));
  if (!ours.length) return h("p", { class: "verdict" }, "No method has a score here.");
  const best = /** @type {Row} */ (ours[0]);
  const first = ours.filter((row) => row[state.measure] === best[state.measure]).map((row) => row["method"]);
  const names = first.slice(0, 3).join(", ") + (first.length > 3 ? ` and ${first.length - 3} more` : "");
  const alike = ours.filter((row) => row !== best && best["no_difference_from"]?.split(" ").includes(row["method"])).length;
  const chance = measure.chance ?? 0;
  const above = ours.filter((row) => (measure.better > 0 ? row[measure.low] > chance : row[measure.high] < chance)).length;
  return h("p", { class: "verdict" }, h("b", {}, names), ` ${first.length > 1 ? "share the lead" : "leads"} with ${number(best[state.measure])} (${number(best[measure.low])} to ${number(best[measure.high])}${first.length > 1 ? ` for ${best["method"]}` : ""})`,
    state.measure === "auroc" ? `; ${alike} of ${ours.length - 1} others are no different from ${first.length > 1 ? best["method"] : "it"}` : "", `. ${above} of ${ours.length} methods are better than guessing.`);
}

function draw() {
  const root = /** @type {HTMLElement} */ (document.getElementById("page"));
  const opened = [...root.querySelectorAll("details[open]")].map((one) => one.className);
  const measure = /** @type {(typeof MEASURES)[string]} */ (MEASURES[state.measure]);
  root.replaceChildren(
    h("section", {}, controls(), h("p", { class: "note" }, measure.help), verdict(), table(),
      h("p", { class: "note key" }, "Dot: value. Bar: 95 % interval over seeds of models. Dashed: guessing. Solid: the oracle, which knows the factors. Click a method for its models and pictures.")),
    h("section", {}, h("h2", {}, "What it costs"), costs(inScope(), state.measure, measure.chance, show)),
    truth(TRUTH, state.suite), models(TABLES["models"] ?? [], state.suite), readers(TABLES["readers"] ?? [], state.suite));
  for (const one of root.querySelectorAll("details")) if (opened.includes(one.className)) one.open = true;
}

const suites = distinct(CELLS, "suite").length, count = distinct(CELLS, "model").length;
document.body.append(
  h("header", { class: "masthead" }, h("p", { class: "name" }, "sidelight bench"), h("h1", {}, "Which explanation finds the cause?"),
    h("p", { class: "lead" }, `${count} classifiers of ${suites} ${suites === 1 ? "suite" : "suites"} learned from data with a planted cause, or from the same data without. `
      + "What each of them uses was measured by drawing its images anew with one factor changed. Every method is asked how much of each factor it sees.")),
  h("main", { id: "page" }),
  h("footer", {}, h("p", { class: "note" }, "Tables beside this page: leaderboard.csv, cells.csv, truth.csv, models.csv, readers.csv, groups.csv. Every cell is a recipe that runs alone: sidelight run recipes/SUITE/MODEL/METHOD.yaml")));
draw();
