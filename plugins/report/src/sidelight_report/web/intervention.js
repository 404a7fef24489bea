// @ts-check
/** A picture pair: what a layer's code stands for, and what it stands for once bits are flipped. */
import "./flicker.js";
import "./picture.js";
import "./probabilities.js";
import { h } from "./elements.js";
import { register } from "./kinds.js";

/** @typedef {import("./document.js").Card} Card */

register("intervention", {
  tile: (entry, card, report) => ({ body: intervention(entry, card, report.task === "regression"), span: 2, note: entry.side }),
  map: (/** @type {import("./document.js").InterventionEntry} */ entry) => {
    const flicker = h("sl-flicker");
    flicker.data = { before: entry.pictures[0], after: entry.pictures[1], names: [entry.said || "before", entry.became || "after"], label: flips(entry), bare: true };
    return h("div", { class: "moved" }, flicker);
  },
  legend: "Framed pictures are changed: point at one, or press it, to compare.",
});

/** @param {import("./document.js").InterventionEntry} entry @param {Card} card @param {boolean} regression */
function intervention(entry, card, regression) {
  const [before, after] = entry.pictures;
  const bars = h("sl-probabilities");
  bars.data = { classes: card.classes, before: entry.before, after: entry.after, regression };
  return [
    h("div", { class: "pair" }, pictured("the layer", entry.said, before, entry.explainer), pictured(flips(entry), entry.became, after, entry.explainer)),
    bars,
    entry.changed ? null : h("p", { class: "alert" }, "No flip that was tried changes the class as asked."),
  ];
}

/** @param {string} what @param {string} said @param {import("./document.js").Picture} picture @param {string} explainer */
function pictured(what, said, picture, explainer) {
  const element = h("sl-picture");
  element.data = { picture, label: `Concept image of ${explainer}: ${what}` };
  return h("figure", {}, h("figcaption", {}, said || what, said && h("small", {}, ` ${what}`)), element);
}

/** @param {import("./document.js").InterventionEntry} entry */
function flips({ flipped, bits }) {
  if (flipped.length === bits) return `all ${bits} bits flipped`;
  return `bit${flipped.length === 1 ? "" : "s"} ${flipped.join(", ")} flipped`;
}
