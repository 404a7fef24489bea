// @ts-check
/** The backend of an exported page: the pictures that it holds, and nothing else. */
import { keyOf } from "./spec.js";

/** @typedef {import("./types.js").Backend} Backend */
/** @typedef {import("./types.js").Picture} Picture */

export const WHY = "needs the model: open this with `sidelight serve`";

/**
 * @param {Record<string, Picture>} pictures
 * @returns {Backend}
 */
export function onDisk(pictures) {
  const refuse = async () => { throw new Error(WHY); };
  return {
    live: false,
    holds: (spec) => keyOf(spec) in pictures,
    draw: async (specs) => specs.map((spec) => pictures[keyOf(spec)] ?? null),
    save: async (doc) => JSON.stringify(doc),
    open: async (text) => JSON.parse(text),
    reach: refuse, upload: refuse, data: refuse, heatmap: refuse, cancel: refuse, export: refuse, exported: refuse,
  };
}
