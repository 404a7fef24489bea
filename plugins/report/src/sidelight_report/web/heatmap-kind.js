// @ts-check
/** Heatmaps of an explainer: coloured by the side of the question that they answer. */
import "./heatmap.js";
import { h } from "./elements.js";
import { register } from "./kinds.js";

/** @typedef {import("./document.js").Card} Card */
/** @typedef {import("./document.js").HeatmapEntry} Entry */

register("heatmap", {
  tile: (entry, card) => ({ body: [heatmap(entry, card)], span: 1, note: `${entry.side}${resolution(entry)}` }),
  map: heatmap,
  legend: "Teal speaks for the predicted class, amber for the other; bright is important where a method has no sign.",
});

/** @param {Entry} entry */
function resolution({ resolution: cells }) {
  return cells ? `, at ${cells.join(" × ")}` : "";
}

/** @param {Entry} entry @param {Card} card */
function heatmap(entry, card) {
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
