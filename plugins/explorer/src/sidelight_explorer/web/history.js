// @ts-check
/** Undo and redo: a document, those before it, and those that were undone. Pure. */

const MOST = 300;

/** @typedef {import("./types.js").Document} Document */
/** @typedef {{ past: Document[], now: Document, future: Document[], merging: string }} History */

/** @param {Document} now @returns {History} */
export function begin(now) {
  return { past: [], now, future: [], merging: "" };
}

/**
 * Another document. Changes of the same kind in a row (a slider on its way) are one step.
 * @param {History} history
 * @param {Document} now
 * @param {string} [kind] of changes that merge
 * @returns {History}
 */
export function commit(history, now, kind = "") {
  if (now === history.now) return history;
  const past = kind && kind === history.merging ? history.past : [...history.past, history.now].slice(-MOST);
  return { past, now, future: [], merging: kind };
}

/** @param {History} history @returns {History} */
export function undo(history) {
  const before = history.past.at(-1);
  if (!before) return history;
  return { past: history.past.slice(0, -1), now: before, future: [history.now, ...history.future], merging: "" };
}

/** @param {History} history @returns {History} */
export function redo(history) {
  const [after, ...rest] = history.future;
  if (!after) return history;
  return { past: [...history.past, history.now], now: after, future: rest, merging: "" };
}
