// @ts-check
/** Counterfactuals: the changed image against the input, the difference, and the class scores. */
import "./flicker.js";
import "./heatmap.js";
import "./probabilities.js";
import { h } from "./elements.js";
import { register } from "./kinds.js";
import { format, percent } from "./numbers.js";

/** @typedef {import("./document.js").Card} Card */
/** @typedef {import("./document.js").CounterfactualEntry} Entry */

register("counterfactual", {
  tile: (entry, card, report) => ({ body: entry.converged ? answer(entry, card, report.task === "regression") : failure(entry, card), span: 2, note: entry.side }),
  map: difference,
  legend: "Red is added and blue removed until the class asked about is at least as likely as the predicted one.",
});

/** @param {Entry} entry @param {Card} card @param {boolean} regression */
function answer(entry, card, regression) {
  const change = difference(entry, card);
  if (!entry.picture || !change) return [];
  const flicker = h("sl-flicker");
  flicker.data = { before: card.picture, after: entry.picture, names: ["input", entry.explainer] };
  const bars = h("sl-probabilities");
  bars.data = { classes: card.classes, before: entry.before, after: entry.after, regression };
  const third = entry.third && h("p", { class: "alert" }, `A third class, ${entry.third}, is likelier than both.`);
  return [h("div", { class: "pair" }, flicker, change), bars, third || null, ...(entry.judges ?? []).map((judge) => verdict(judge, card)), constraints(entry), kept(entry, card, regression)];
}

const VERDICTS = { predicted: "still", probe: "now", other: "a third class:" };

/** What an independent classifier says of the answer. @param {import("./document.js").Judge} judge @param {Card} card */
function verdict({ name, before, after, says, sure, part }, card) {
  const bars = h("sl-probabilities");
  bars.data = { classes: card.classes, before, after, regression: false };
  return h("div", { class: "judge" }, h("p", { title: `${name} took no part in the search: an answer that it shares is less likely to be a quirk of the explained network.` },
    "An independent classifier", h("span", { class: "note" }, ` (${name})`), " says: ", h("strong", { class: part }, `${VERDICTS[part]} ${says}, ${percent(sure)}`)), bars);
}

/** What the generator alone draws, where the answer keeps details of the input. @param {Entry} entry @param {Card} card @param {boolean} regression */
function kept({ generated, alone }, card, regression) {
  if (!generated) return null;
  const flicker = h("sl-flicker");
  flicker.data = { before: generated[0], after: generated[1], names: ["generator, before", "generator, after"], bare: true };
  const bars = alone && h("sl-probabilities");
  if (bars) bars.data = { classes: card.classes, before: alone[0], after: alone[1], regression };
  return h("details", { class: "note kept" }, h("summary", {}, "Details of the input are kept"),
    h("p", {}, "The answer is the input plus what changes between these two pictures of the generator; the classifier judged the answer. Point at the picture, or press it, to compare. The bars say how far the generator's own pictures move the classifier; where that is much less, the change shows little."), h("div", { class: "pair" }, flicker, bars));
}

/** Added and removed intensity; null where there is no answer. @param {Entry} entry @param {Card} card */
function difference({ explainer, difference: values, saturation }, card) {
  if (!values || saturation === undefined) return null;
  const change = h("sl-difference");
  change.data = { picture: card.picture, values, saturation, signed: true, ends: ["remove", "add"], label: `What ${explainer} changes` };
  return change;
}

/** @param {Entry} entry @param {Card} card */
function failure(entry, card) {
  const broken = entry.constraints.filter(({ holds }) => !holds).map(({ name }) => name);
  const empty = h("div", { class: "frame no-answer" }, h("p", {}, h("strong", {}, "No answer"), " The search did not converge."));
  empty.style.aspectRatio = `${2 * card.picture.width} / ${card.picture.height}`;
  return [empty, broken.length ? h("p", { class: "note" }, `Still violated at the end: ${broken.join(", ")}.`) : null, constraints(entry)];
}

/** @param {Entry} entry */
function constraints(entry) {
  if (!entry.constraints.length) return null;
  const limit = format(entry.tolerance);
  return h("ul", { class: "constraints", title: `A constraint holds up to ${limit} nats.` }, ...entry.constraints.map(({ name, violation, holds }) =>
    h("li", { class: holds ? "holds" : "fails" }, h("i", { "aria-hidden": "true" }, holds ? "✓" : "✗"),
      h("span", {}, name, h("span", { class: "sr" }, holds ? " holds" : " does not hold")), h("span", { class: "value" }, holds && violation === 0 ? "exact" : `off by ${format(violation, 2)} nats`))));
}
