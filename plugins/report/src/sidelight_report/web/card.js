// @ts-check
import "./attention-graph.js";
import "./concepts.js";
import "./counterfactual.js";
import "./heatmap-kind.js";
import "./image-attributes.js";
import "./intervention.js";
import "./path.js";
import "./picture.js";
import { drawBlocks } from "./blocks.js";
import { h } from "./elements.js";
import { fold } from "./fold.js";
import { sectionOf } from "./kinds.js";
import { limitsOf } from "./limits.js";
import { ARROWS, ofImage, tick } from "./numbers.js";
import { PointedPicture } from "./picture.js";

/** @typedef {import("./document.js").Card} Card */
/** @typedef {import("./document.js").Entry} Entry */
/** @typedef {import("./document.js").Report} Report */

const SHOWN = 3; // cards that are open at first, where there are more than one beyond them

/**
 * One image with every explanation of it. Where it has maps and changes, they stand in two columns.
 * @param {Card} card
 * @param {number} index
 * @param {Report} report
 * @param {boolean} [open] open at first; left out, as its place among the others says
 */
export function makeCard(card, index, report, open = index < SHOWN || report.images.length <= SHOWN + 1) {
  const facts = [card.id, card.label === null ? "" : `labelled ${card.label}`].filter(Boolean).join(" · ");
  const { src, width, height, crisp } = card.picture;
  const small = h("img", { class: crisp ? "crisp small" : "small", src, width, height, alt: "" });
  const header = h("header", {}, small, h("h2", { id: `question-${index + 1}` }, card.question), h("p", { class: "facts" }, facts, card.misclassified && h("span", { class: "alert" }, "misclassified")));
  const id = `image-${index + 1}`;
  const section = h("section", { class: "card", id, tabindex: -1, "aria-labelledby": `question-${index + 1}` }, fold(id, open, header, tiles(card, report), paths(card)));
  section.addEventListener("sl-cursor", (event) => point(section, event));
  return section;
}

const [EVEN, UNEVEN] = [[3, 3], [2, 4]]; // columns of tiles left and right; two pairs of pictures need four
const MAPS = new Set(["heatmap"]);
const CHANGES = new Set(["counterfactual", "intervention", "image-attributes"]);

/** @param {Card} card @param {Report} report */
function tiles(card, report) {
  const all = card.explanations.map((entry) => ({ kind: entry.kind, ...explained(entry, card, report) }));
  const [maps, changes] = [MAPS, CHANGES].map((kinds) => all.filter(({ kind }) => kinds.has(kind)));
  const first = input(card, report);
  if (!maps?.length || !changes?.length) return grid([first, ...all], card);
  const rest = all.filter(({ kind }) => !MAPS.has(kind) && !CHANGES.has(kind));
  const [left, right] = [units([first, ...maps]), units(changes)];
  const fits = right > 0 && left + right <= most(card);
  const [narrow, wide] = fits ? [left, right] : changes.some(({ span }) => span === 2) ? UNEVEN : EVEN;
  const columns = h("div", { class: "compared" },
    column("Maps of the image as it is: where", grid([first, ...maps], card, narrow)),
    column("Images changed: what", grid(changes, card, wide)));
  columns.style.setProperty("--left", `${narrow}fr`);
  columns.style.setProperty("--right", `${wide}fr`);
  return h("div", {}, columns, rest.length > 0 && grid(rest, card));
}

/** @param {string} title @param {Node} body */
function column(title, body) {
  return h("section", { class: "column", "aria-label": title }, h("p", { class: "way" }, title), body);
}

/** Columns that tiles take together; 0 where one takes a whole row. @param {{ span: number }[]} of */
function units(of) {
  return of.some(({ span }) => span === 0) ? 0 : of.reduce((sum, { span }) => sum + span, 0);
}

/** @param {Card} card */
function most(card) {
  return card.picture.crisp ? 7 : 5;
}

/** @param {{ element: HTMLElement, span: number }[]} of @param {Card} card @param {number} [wide] */
function grid(of, card, wide) {
  const element = h("div", { class: "tiles" }, ...of.map((tile) => tile.element));
  element.style.setProperty("--columns", String(wide ?? columns(of.map(({ span }) => span), card.picture.crisp)));
  return element;
}

/** All pictures of a card that have the size of the one pointed at show the same pixel. @param {HTMLElement} section @param {Event} event */
function point(section, event) {
  if (!(event instanceof CustomEvent) || !(event.target instanceof PointedPicture)) return;
  const { width, height } = event.target.data.picture;
  for (const element of section.querySelectorAll("sl-picture, sl-heatmap, sl-difference")) {
    if (!(element instanceof PointedPicture)) continue;
    const { picture } = element.data;
    if (picture.width === width && picture.height === height) element.cursor = event.detail;
  }
}

/** The number of columns that leaves the fewest places empty. @param {number[]} spans @param {boolean} crisp */
function columns(spans, crisp) {
  const units = spans.reduce((sum, span) => sum + span, 0);
  const [most, least] = crisp ? [7, 4] : [5, 3];
  if (units <= most) return Math.max(units, least);
  const choices = Array.from({ length: most - least + 1 }, (_, i) => most - i);
  return choices.reduce((best, n) => (empty(spans, n) < empty(spans, best) ? n : best));
}

/** Number of empty cells that tiles of these widths leave in rows of n. @param {number[]} spans @param {number} n */
function empty(spans, n) {
  let [filled, lost] = [0, 0];
  for (const span of spans) {
    if (filled + span > n) [filled, lost] = [0, lost + n - filled];
    filled += span;
  }
  return lost + n - filled;
}

/**
 * @param {string} title
 * @param {string} note
 * @param {number} span
 * @param {...(Node | null | false)} body
 */
function frame(title, note, span, ...body) {
  const element = h("article", { class: `tile ${["whole", "single", "double"][span]}` },
    h("header", {}, h("h3", { title }, title), h("p", { title: note }, note)), ...body);
  return { element, span };
}

/** @param {Card} card @param {Report} report */
function input(card, report) {
  const picture = h("sl-picture");
  picture.data = { picture: card.picture, label: `Input ${card.id}` };
  const bars = h("sl-probabilities");
  bars.data = { classes: card.classes, before: card.scores, after: null, regression: report.task === "regression" };
  const made = frame("Input", report.task === "regression" ? "and its value" : "what the classifier says", 1, picture, bars,
    card.reconstruction && h("div", { class: "inverted" }, h("h3", {}, "Reconstruction"), ...drawBlocks(card.reconstruction.blocks, card.picture)));
  made.element.classList.add("input");
  return made;
}

/** @param {Entry} entry @param {Card} card @param {Report} report */
function explained(entry, card, report) {
  const { body, span, note } = sectionOf(entry.kind).tile(entry, card, report);
  const explainer = report.explainers.find(({ id }) => id === entry.explainer);
  const about = explainer?.about;
  const limits = limitsOf(explainer?.limits ?? []);
  if (entry.counterpart && span === 1) {
    const other = sectionOf(entry.counterpart.kind).tile(entry.counterpart, card, report);
    const sides = [side(entry, ...body, measures(entry)), side(entry.counterpart, ...other.body)];
    const rest = note.replace(entry.side, "for either class");
    return frame(entry.explainer, [rest, about].filter(Boolean).join(" · "), 2, h("div", { class: "sides" }, ...(entry.about === "expected" ? sides.reverse() : sides)), limits);
  }
  return frame(entry.explainer, [note, about].filter(Boolean).join(" · "), span, ...body, measures(entry), limits);
}

/** One of two answers of an explainer. @param {Entry} entry @param {...(Node | null | false)} body */
function side({ side: text, about = "predicted" }, ...body) {
  return h("figure", {}, h("figcaption", {}, h("b", {}, text), `, ${about}`), ...body);
}

/** @param {Entry} entry */
function measures(entry) {
  const rows = entry.measures.map((measure) => ({ name: `${measure.name} ${ARROWS[measure.better]}`, value: ofImage(measure), unit: measure.unit }));
  if (entry.passes !== null) rows.push({ name: "passes", value: tick(entry.passes), unit: "forward passes of the classifier, a backward pass counting two" });
  return rows.length > 0 && h("dl", { class: "measures" }, ...rows.flatMap(({ name, value, unit }) =>
    [h("dt", { title: unit }, name), h("dd", {}, value)]));
}

/** The searches of all explainers, one below the other. @param {Card} card */
function paths(card) {
  const searches = card.explanations.flatMap((entry) => (entry.kind === "counterfactual" && entry.path ? [{ entry, path: entry.path }] : []));
  if (!searches.length) return null;
  return h("details", { class: "paths" }, h("summary", {}, searches.length > 1 ? "Paths of the searches" : "Path of the search"),
    ...searches.map(({ entry, path }) => {
      const element = h("sl-path");
      element.data = { path, classes: card.classes, name: entry.explainer };
      return h("div", { class: "search" }, h("h3", {}, entry.explainer, !entry.converged && h("small", {}, " did not converge")), element);
    }));
}
