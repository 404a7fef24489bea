// @ts-check
/** Sections below the cards: measurements, concepts, by-products, origin. */
import "./metric-table.js";
import { drawBlocks, missing } from "./blocks.js";
import { catalogue } from "./concepts.js";
import { h } from "./elements.js";
import { fold } from "./fold.js";
import { ARROWS, format, percent } from "./numbers.js";
import { legend, plot } from "./plot.js";

/** @typedef {import("./document.js").Report} Report */

const MANY = 5; // numbers that are drawn as bars
const LONG = 200; // steps of a curve that is smoothed
const WINDOWS = 40; // a smoothed curve's length in windows

/** A section that is open at first. @param {string} id @param {string} title @param {...(Node | null | false)} body */
export function section(id, title, ...body) {
  return panel(id, title, true, ...body);
}

/** A section that is folded at first. @param {string} id @param {string} title @param {...(Node | null | false)} body */
export function folded(id, title, ...body) {
  return panel(id, title, false, ...body);
}

/** @param {string} id @param {string} title @param {boolean} open @param {...(Node | null | false)} body */
function panel(id, title, open, ...body) {
  return h("section", { class: "panel", id, "aria-labelledby": `${id}-title` }, fold(id, open, h("h2", { id: `${id}-title` }, title), ...body));
}

/** @param {Report} report */
export function measured(report) {
  if (!report.table.rows.length && !report.charts.length && !report.paths.length) return null;
  const table = h("sl-metric-table");
  table.data = report.table;
  const varied = report.table.rows.find((row) => row.varied)?.varied;
  const ranked = report.table.rows.some(({ best }) => best.length);
  const note = `Means over ${count(report.total, "image")}, each with its 95 % confidence interval over images${varied ? `, and in brackets the range of the means by ${varied}` : ""}. Open a metric for what it means and its settings.${ranked ? " The best of a row is marked where unit, settings, images and kind of explanation are the same." : ""}`;
  return section("measurements", "Measurements", report.table.rows.length > 0 && h("p", { class: "note" }, note),
    report.table.rows.length > 0 && table, h("div", { class: "charts" }, ...report.charts.map((chart) => curves(chart, report)), ...report.paths.map(meanPath)));
}

/** @param {import("./document.js").Chart} chart @param {Report} report */
function curves(chart, report) {
  const lines = chart.lines.map((line) => ({ ...line, style: `series-${Math.max(0, report.explainers.findIndex(({ id }) => id === line.name)) % 8}` }));
  const counts = chart.lines.map((line) => line.count ?? 0);
  const least = Math.min(...counts), most = Math.max(...counts);
  const images = least === most ? count(most, "image") : `${least} to ${count(most, "image")}`;
  return h("figure", { class: "chart" }, h("figcaption", {}, h("b", {}, chart.name), h("small", {}, ` ${chart.unit}, mean of ${images}`)),
    plot({ lines, label: `${chart.name}: ${chart.help}`, yRange: bounds(lines), xTitle: chart.over }), legend(lines));
}

/** From 0 to 1 where the curves stay within it. @param {{ y: (number | null)[] }[]} lines @returns {[number, number] | undefined} */
function bounds(lines) {
  return lines.every(({ y }) => y.every((value) => value === null || (value >= 0 && value <= 1))) ? [0, 1] : undefined;
}

/** @param {import("./document.js").MeanPath} path */
function meanPath(path) {
  const names = ["predicted class", "class asked about", "highest other"];
  const lines = ["predicted", "probe", "other other-0"].map((style, i) => ({ name: names[i] ?? "", style, x: path.steps.map((_, at) => at), y: path.likelihoods[i] ?? [] }));
  return h("figure", { class: "chart" }, h("figcaption", {}, h("b", {}, `Search of ${path.name}`), h("small", {}, ` likelihood, mean of ${count(path.count, "image")}`)),
    plot({ lines, label: `Mean class likelihood along the search of ${path.name}`, yRange: [0, 1], yText: percent, xTitle: "step of the search", xTicks: quarters(path.steps) }), legend(lines));
}

/** Searches look often at first and rarely later: the axis counts looks and names their steps. @param {number[]} steps */
function quarters(steps) {
  const places = new Set([0, 1, 2, 3, 4].map((quarter) => Math.round((quarter * (steps.length - 1)) / 4)));
  return [...places].map((at) => ({ at, text: `${steps[at]}` }));
}

/** @param {Report} report */
export function exemplars(report) {
  return report.exemplars.map((found, i) => folded(`concepts-${i + 1}`, `Concepts of ${found.name}`,
    h("p", { class: "note" }, "The images in which each concept is strongest, and the classes whose logits it moves, for a strength of 1."), catalogue(found)));
}

/** @param {Report} report */
export function byProducts(report) {
  if (!report.emitted.length) return null;
  return folded("by-products", "Along the way", h("div", { class: "charts" }, ...report.emitted.map(byProduct)));
}

/** @param {import("./document.js").ByProduct} item */
function byProduct(item) {
  const caption = h("figcaption", {}, h("b", {}, item.name));
  switch (item.kind) {
    case "curves": return h("figure", { class: "chart" }, caption, ...item.lines.map(training));
    case "numbers": return h("figure", { class: "chart" }, caption, ...item.lines.map(training), final(item.numbers));
    case "blocks": return h("figure", { class: "chart wide" }, caption,
      ...(item.rows.length ? item.rows.map(({ blocks, picture }) => h("div", { class: "blocks" }, ...drawBlocks(blocks, picture))) : [missing(item)]));
  }
}

/** Many numbers of one kind as bars, others as they are. @param {import("./document.js").Measure[]} numbers */
function final(numbers) {
  const alike = numbers.every(({ unit, better }) => unit === numbers[0]?.unit && better === numbers[0]?.better);
  if (numbers.length >= MANY && alike) return ranked(numbers);
  return h("dl", { class: "measures" }, ...numbers.flatMap(({ name, value, better, unit }) => [h("dt", { title: unit }, `${name} ${ARROWS[better]}`), h("dd", {}, format(value))]));
}

/** @param {import("./document.js").Measure[]} numbers */
function ranked(numbers) {
  const largest = Math.max(...numbers.map(({ value }) => Math.abs(value ?? 0)), 1e-12);
  return h("div", {}, h("p", { class: "note" }, `${numbers[0]?.unit ?? ""} ${ARROWS[numbers[0]?.better ?? "neither"]}`), h("ul", { class: "effects ranked" }, ...numbers.map(({ name, value }) => {
    const fill = h("span", { class: `fill ${(value ?? 0) < 0 ? "less" : "more"}` });
    fill.style.width = `${(100 * Math.abs(value ?? 0)) / largest}%`;
    return h("li", {}, h("span", { class: "name", title: name }, name), h("span", { class: "track" }, fill), h("span", { class: "value" }, format(value)));
  })));
}

/** A curve of many steps is noise with a course in it: then the mean over a few steps is drawn through it. @param {import("./document.js").Line} line @param {number} i */
function training(line, i) {
  const style = `series-${i % 8}`;
  const width = line.y.length > LONG ? Math.round(line.y.length / WINDOWS) : 1;
  const course = { name: line.name, style, x: line.x, y: width > 1 ? means(line.y, width) : line.y };
  const lines = width > 1 ? [{ ...line, style: `${style} faint` }, course] : [course];
  return h("div", {}, h("p", { class: "note" }, width > 1 ? `${line.name}, and its mean over ${width} steps` : line.name), plot({ lines, label: `${line.name} in the course of training`, xTitle: "step" }));
}

/** The mean around each place; fewer values count at the ends. @param {(number | null)[]} values @param {number} width */
function means(values, width) {
  return values.map((_, at) => {
    const near = values.slice(Math.max(0, at - (width >> 1)), at + (width >> 1) + 1).filter((value) => value !== null);
    return near.length ? near.reduce((sum, value) => sum + value, 0) / near.length : null;
  });
}

/** @param {Report} report */
export function origin(report) {
  const facts = h("dl", { class: "facts-list" }, ...Object.entries(report.environment).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
  const parts = h("div", { class: "scroller parts", tabindex: 0, role: "region", "aria-label": "Components" }, h("table", {}, h("thead", {}, h("tr", {}, ...["Role", "Component", "Version", "What it is"].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, ...report.components.map((part) => h("tr", {}, h("td", {}, part.role.replaceAll("_", " ")), h("th", { scope: "row" }, part.use), h("td", {}, part.version),
      h("td", {}, part.summary, part.paper && h("small", {}, ` ${part.paper}`), ...card(part.card)))))));
  return folded("origin", "How this was made", report.components.length > 0 && parts, h("h3", {}, "Versions"), facts,
    h("h3", {}, "Resolved recipe"), h("pre", { tabindex: 0, "aria-label": "Resolved recipe" }, report.recipe));
}

/** The model card of weights that others trained. @param {Record<string, string>} texts */
function card(texts) {
  const entries = Object.entries(texts);
  return entries.length ? [h("dl", { class: "model-card" }, ...entries.flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]))] : [];
}

/** @param {number} n @param {string} noun */
export function count(n, noun) {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}
