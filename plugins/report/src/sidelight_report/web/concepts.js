// @ts-check
/** "A because of B, C and D": what each named concept adds, where it is, and the images in which it is strongest. */
import "./heatmap.js";
import { h } from "./elements.js";
import { register } from "./kinds.js";
import { format, signed } from "./numbers.js";

/** @typedef {import("./document.js").ConceptsEntry} ConceptsEntry */
/** @typedef {import("./document.js").Concept} Concept */
/** @typedef {import("./document.js").Card} Card */
/** @typedef {import("./document.js").ExemplarSection} ExemplarSection */

register("concepts", { tile: (entry, card, report) => ({ body: concepts(entry, card, report.exemplars), span: 0, note: `concepts ${entry.side}` }) });

/**
 * What concepts say of one image.
 * @param {ConceptsEntry} entry
 * @param {Card} card
 * @param {ExemplarSection[]} sections
 */
function concepts(entry, card, sections) {
  const known = sections.find(({ name }) => name === entry.explainer)?.concepts ?? [];
  const numbers = [...entry.because, ...entry.despite];
  const largest = Math.max(...Object.values(entry.named).map(({ contribution }) => Math.abs(contribution ?? 0)), 1e-12);
  return [h("p", { class: "because" }, ...sentence(entry)),
    h("ul", { class: "named" }, ...numbers.map((i) => named(entry, i, known[i], card, largest))),
    h("p", { class: "note" }, sum(entry))];
}

/** @param {ConceptsEntry} entry @returns {(string | Node)[]} */
function sentence(entry) {
  const subject = h("b", {}, `“${entry.class}”`);
  if (!entry.because.length) return [subject, ", though no concept speaks for it."];
  return [subject, " because of ", listed(entry, entry.because), entry.despite.length ? `, in spite of ${listed(entry, entry.despite)}.` : "."];
}

/** B, C and D. @param {ConceptsEntry} entry @param {number[]} numbers */
function listed(entry, numbers) {
  const names = numbers.map((i) => entry.named[i]?.name ?? "");
  return names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : (names[0] ?? "");
}

/** @param {ConceptsEntry} entry @param {number} i @param {Concept | undefined} concept @param {Card} card @param {number} largest */
function named(entry, i, concept, card, largest) {
  const { name, activation, contribution, map } = entry.named[i] ?? { name: "", activation: null, contribution: null, map: null };
  const fill = h("span", { class: `fill ${(contribution ?? 0) < 0 ? "less" : "more"}` });
  fill.style.width = `${(100 * Math.abs(contribution ?? 0)) / largest}%`;
  const facts = h("div", { class: "facts" }, h("h4", {}, name), h("p", {}, h("b", {}, signed(contribution)), ` to the logit`),
    h("span", { class: "track" }, fill), h("p", {}, `strength ${format(activation, 2)}`), h("p", {}, speaks(concept)));
  const element = h("sl-heatmap");
  if (map) element.data = { picture: card.picture, values: map.values, saturation: map.saturation, signed: false, ends: ["", "strong"], label: `Where ${name} is` };
  return h("li", { class: map ? "" : "unplaced" }, facts, map && h("figure", { class: "place" }, h("figcaption", {}, "where it is here"), element),
    concept && concept.pictures.length > 0 && h("figure", { class: "strongest" }, h("figcaption", {}, "strongest in"), strongest(concept)));
}

/** The logit, as it adds up. @param {ConceptsEntry} entry */
function sum(entry) {
  const rest = entry.others ? `The other ${entry.others} concept${entry.others === 1 ? "" : "s"} add${entry.others === 1 ? "s" : ""} ${signed(entry.rest)}` : "No other concept adds anything";
  return entry.total === null ? `${rest}.` : `${rest}, the constant is ${signed(entry.constant)}: a logit of ${format(entry.total)} in all.`;
}

/** Classes with notable weights of a concept, in words. @param {Concept | undefined} concept */
function speaks(concept) {
  const text = (/** @type {Concept["weights"]} */ part) => part.map((item) => `${item.class} ${signed(item.weight, 2)}`).join(", ");
  const weights = concept?.weights ?? [];
  const [pro, contra] = [weights.filter(({ weight }) => (weight ?? 0) > 0), weights.filter(({ weight }) => (weight ?? 0) < 0).reverse()];
  return [pro.length ? `for ${text(pro)}` : "", contra.length ? `against ${text(contra)}` : ""].filter(Boolean).join("; ");
}

/** @param {Concept} concept */
function strongest(concept) {
  return h("ul", { class: "strongest-in" }, ...concept.pictures.map(({ src, width, height, crisp }, i) => {
    const strength = concept.strengths[i] ?? null;
    const text = strength === null ? `image ${i + 1}` : `strength ${format(strength, 2)}`;
    return h("li", {}, h("img", { src, width, height, class: crisp ? "crisp" : "", alt: text, title: text }));
  }));
}

/** All concepts of one explainer. @param {ExemplarSection} section */
export function catalogue({ concepts: all }) {
  return h("ul", { class: "catalogue" }, ...all.map((concept) => h("li", {}, h("h3", {}, concept.name), h("p", { class: "note" }, speaks(concept)), strongest(concept))));
}
