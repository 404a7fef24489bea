// @ts-check
/** The backend of an exported page: the pictures that it holds, and nothing else. */
import { keyOf } from "./spec.js";

/** @typedef {import("./types.js").Backend} Backend */
/** @typedef {import("./types.js").Picture} Picture */
/** @typedef {import("./types.js").Heatmap} Heatmap */

export const WHY = "needs the model: open this with `sidelight serve`";
export const ABSENT = "not in this file";

/**
 * @param {Record<string, Picture>} pictures
 * @param {Heatmap[]} heatmaps
 * @returns {Backend}
 */
export function onDisk(pictures, heatmaps) {
  const refuse = async () => { throw new Error(WHY); };
  return {
    live: false,
    holds: (spec) => keyOf(spec) in pictures,
    draw: async (specs) => specs.map((spec) => pictures[keyOf(spec)] ?? null),
    save: async (doc) => JSON.stringify(doc),
    open: async (text) => JSON.parse(text),
    heatmap: async ({ now, start }, explainer, classifier, target) => {
      const near = heatmaps.filter((map) => map.explainer === explainer && map.classifier === classifier);
      return [keyOf(now), keyOf(start)].flatMap((key) => near.filter(({ spec }) => spec === key).toSorted((a, b) => Number(b.target === target) - Number(a.target === target)))[0];
    },
    reach: refuse, upload: refuse, data: refuse, direction: refuse, keepNames: async () => {}, measure: refuse, curve: refuse, cancel: refuse, export: refuse, exported: refuse,
  };
}
