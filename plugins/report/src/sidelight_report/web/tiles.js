// @ts-check
/** One tile for each explanation of an image, by its kind. */
import "./attention-graph.js";
import "./flicker.js";
import "./heatmap.js";
import "./probabilities.js";
import { concepts } from "./concepts.js";
import { h } from "./elements.js";
import { imageAttributes } from "./image-attributes.js";
import { intervention } from "./intervention.js";
import { format, signed } from "./numbers.js";

/** @typedef {import("./document.js").Card} Card */
/** @typedef {import("./document.js").Entry} Entry */

/**
 * The tile of one explanation and how many columns it takes; 0 stands for a whole row.
 * @param {Entry} entry
 * @param {Card} card
 * @param {boolean} regression
 * @param {import("./document.js").ExemplarSection[]} exemplars
 * @returns {{ body: (Node | null)[], span: number, note: string }}
 */
export function tile(entry, card, regression, exemplars) {
  switch (entry.kind) {
    case "heatmap": return { body: [heatmap(entry, card)], span: 1, note: `${entry.side}${worked(entry)}` };
    case "counterfactual": return { body: entry.converged ? answer(entry, card, regression) : failure(entry, card), span: 2, note: entry.side };
    case "intervention": return { body: intervention(entry, card, regression), span: 2, note: entry.side };
    case "inversion": return { body: [reconstruction(entry)], span: 1, note: "reconstruction" };
    case "attention-graph": return { body: [graph(entry, card)], span: 0, note: `attention graph ${entry.side}` };
    case "concepts": return { body: concepts(entry, card, exemplars), span: 0, note: `concepts ${entry.side}` };
    case "attributes": return { body: [effects(entry.names, entry.effects, "Effect of each attribute on the logit")], span: 2, note: `attributes ${entry.side}` };
    case "image-attributes": return { body: imageAttributes(entry, card, regression), span: 0, note: `attributes ${entry.side}, each changed alone` };
    default: return { body: [h("p", { class: "note" }, `This page has no picture for explanations of the kind “${entry.what}”.`)], span: 1, note: "" };
  }
}

/** @param {import("./document.js").HeatmapEntry} entry */
function worked({ resolution }) {
  return resolution ? `, at ${resolution.join(" × ")}` : "";
}

/** @param {import("./document.js").HeatmapEntry} entry @param {Card} card */
export function heatmap(entry, card) {
  const element = h("sl-heatmap");
  const [predicted, probe] = ["predicted", "probe"].map((wanted) => card.classes.find(({ part }) => part === wanted)?.name);
  /** @type {[string, string]} */
  const ends = entry.answers === "contrast" && predicted && probe ? [`for ${probe}`, `for ${predicted}`] : ["against", "for"];
  element.data = {
    picture: card.picture, values: entry.values, saturation: entry.saturation, signed: entry.signed, answers: entry.answers,
    ends: entry.signed ? ends : ["", "important"], label: `Heatmap of ${entry.explainer}, ${entry.side}`,
  };
  return element;
}

/** @param {import("./document.js").CounterfactualEntry} entry @param {Card} card @param {boolean} regression */
function answer(entry, card, regression) {
  const change = difference(entry, card);
  if (!entry.picture || !change) return [];
  const flicker = h("sl-flicker");
  flicker.data = { before: card.picture, after: entry.picture, names: ["input", entry.explainer] };
  const bars = h("sl-probabilities");
  bars.data = { classes: card.classes, before: entry.before, after: entry.after, regression };
  const third = entry.third && h("p", { class: "alert" }, `A third class, ${entry.third}, is likelier than both.`);
  return [h("div", { class: "pair" }, flicker, change), bars, third || null, constraints(entry)];
}

/** What an answer adds and removes; null where there is none. @param {import("./document.js").CounterfactualEntry} entry @param {Card} card */
export function difference({ explainer, difference: values, saturation }, card) {
  if (!values || saturation === undefined) return null;
  const change = h("sl-difference");
  change.data = { picture: card.picture, values, saturation, signed: true, ends: ["remove", "add"], label: `What ${explainer} changes` };
  return change;
}

/** @param {import("./document.js").CounterfactualEntry} entry @param {Card} card */
function failure(entry, card) {
  const broken = entry.constraints.filter(({ holds }) => !holds).map(({ name }) => name);
  const empty = h("div", { class: "frame no-answer" }, h("p", {}, h("strong", {}, "No answer"), " The search did not converge."));
  empty.style.aspectRatio = `${2 * card.picture.width} / ${card.picture.height}`;
  return [empty, broken.length ? h("p", { class: "note" }, `Still violated at the end: ${broken.join(", ")}.`) : null, constraints(entry)];
}

/** @param {import("./document.js").CounterfactualEntry} entry */
function constraints(entry) {
  if (!entry.constraints.length) return null;
  const limit = format(entry.tolerance);
  return h("ul", { class: "constraints", title: `A constraint holds up to ${limit} nats.` }, ...entry.constraints.map(({ name, violation, holds }) =>
    h("li", { class: holds ? "holds" : "fails" }, h("i", { "aria-hidden": "true" }, holds ? "✓" : "✗"),
      h("span", {}, name, h("span", { class: "sr" }, holds ? " holds" : " does not hold")), h("span", { class: "value" }, holds && violation === 0 ? "exact" : `off by ${format(violation, 2)} nats`))));
}

/** @param {import("./document.js").InversionEntry} entry */
export function reconstruction(entry) {
  const element = h("sl-picture");
  element.data = { picture: entry.picture, label: "The generator's reconstruction" };
  return h("div", {}, element, h("p", { class: "note" }, `mean squared error ${format(entry.error)}`));
}

/** @param {import("./document.js").GraphEntry} entry @param {Card} card */
function graph(entry, card) {
  const element = h("sl-attention-graph");
  element.data = { graph: entry, picture: card.picture };
  return element;
}

/**
 * Signed bars from a middle line.
 * @param {string[]} names
 * @param {(number | null)[]} values
 * @param {string} label
 */
function effects(names, values, label) {
  const largest = Math.max(...values.map((value) => Math.abs(value ?? 0)), 1e-12);
  return h("div", {}, h("p", { class: "note" }, `${label}.`), h("ul", { class: "effects", "aria-label": label }, ...names.map((name, i) => {
    const value = values[i] ?? null;
    const fill = h("span", { class: `fill ${(value ?? 0) < 0 ? "less" : "more"}` });
    fill.style.width = `${(50 * Math.abs(value ?? 0)) / largest}%`;
    return h("li", {}, h("span", { class: "name", title: name }, name), h("span", { class: "track" }, fill), h("span", { class: "value" }, signed(value)));
  })));
}
