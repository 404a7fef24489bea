// @ts-check
/** A question about the network's answer: an image and its explanation, then two occluded versions. */
import "./concepts.js";
import "./counterfactual.js";
import "./heatmap-kind.js";
import "./image-attributes.js";
import "./intervention.js";
import { SlAttentionGraph } from "./attention-graph.js";
import { h } from "./elements.js";
import { sectionOf } from "./kinds.js";
import { percent } from "./numbers.js";
import { choiceKeys, choices, onwards, seconds } from "./study-stage.js";

/** @typedef {import("./document.js").Entry} Entry */
/** @typedef {import("./document.js").Picture} Picture */
/** @typedef {import("./study.js").Predict} Predict */
/** @typedef {import("./study.js").StudiedImage} StudiedImage */
/** @typedef {import("./study.js").Study} Study */
/** @typedef {import("./study-stage.js").Stage} Stage */

/** @param {Stage} stage @param {number} n @returns {import("./study-stage.js").Question} */
export function predict(stage, n) {
  const { store } = stage;
  const question = store.study.predict[n];
  const image = question && store.study.images[question.image];
  if (!question || !image) return { title: "", body: h("div"), keys: {} };
  const begun = performance.now();
  const choose = (/** @type {number} */ choice) => {
    store.session.predict[n] = { choice, seconds: seconds(begun) };
    onwards(stage, "predict", n);
  };
  const entry = image.explanations.find(({ explainer }) => explainer === store.session.condition);
  const explained = entry ? explanation(entry, image, store.study) : null;
  const buttons = choices([picture(question.versions[0]), picture(question.versions[1])],
    [`Of version 1 the network says ${image.class}`, `Of version 2 the network says ${image.class}`], store.session.predict[n]?.choice, choose);
  const graph = explained?.querySelector("sl-attention-graph");
  if (graph instanceof SlAttentionGraph) buttons.forEach((button, i) => match(button, graph, question.visible[i] ?? []));
  const body = h("div", { class: "predict" },
    h("section", { class: "seen", "aria-label": "The picture" }, h("figure", {}, picture(image.picture, image.id),
      h("figcaption", {}, "Of this picture the network says ", h("b", {}, `“${image.class}”`), ` (${percent(image.probability)}).`)), explained),
    h("section", { "aria-label": "The choice" }, h("h2", {}, "Parts of it are hidden in two ways. The network still says ", h("em", {}, `“${image.class}”`), " of one of these. Which one?"), h("div", { class: "two" }, ...buttons)));
  return { title: "Predict the network", body, keys: choiceKeys(choose) };
}

/** @param {Picture} shown @param {string} [alt] */
export function picture({ src, width, height, crisp }, alt = "") {
  return h("img", { src, width, height, alt, class: crisp ? "crisp" : null });
}

/** @param {Entry} entry @param {StudiedImage} image @param {Study} study */
function explanation(entry, image, study) {
  const { body } = sectionOf(entry.kind).tile(entry, image, { task: study.task, exemplars: [] });
  return h("div", { class: `explanation ${entry.kind}` }, h("p", { class: "note" }, reading(entry, image)), ...body);
}

/** How to read it. @param {Entry} entry @param {StudiedImage} image */
function reading(entry, image) {
  switch (entry.kind) {
    case "attention-graph": return "Each large picture is a set of patches that is enough by itself: below it stands how much of the class the network keeps. To its right, one patch more is hidden. Point at a version below to see which of these patches it shows.";
    case "heatmap": return entry.signed ? `Teal speaks for “${image.class}”, amber against it.` : `Bright regions matter most for “${image.class}”.`;
    case "counterfactual": return `The picture was changed until another class was at least as likely as “${image.class}”: hold it to compare.`;
    default: return `An explanation of why the network says “${image.class}”.`;
  }
}

/** Mark the patches that a version shows in all pictures of the graph while the version is pointed at. @param {HTMLElement} button @param {SlAttentionGraph} graph @param {number[]} visible */
function match(button, graph, visible) {
  for (const name of ["pointerenter", "focus"]) button.addEventListener(name, () => graph.mark(visible));
  for (const name of ["pointerleave", "blur"]) button.addEventListener(name, () => graph.mark([]));
}
