// @ts-check
/** Names of things, as they are shown. */

/** A group of layers, counted from 1. @param {[number, number]} group */
export function layersText([from, to]) {
  return to - from === 1 ? `layer ${from + 1}` : `layers ${from + 1}–${to}`;
}
