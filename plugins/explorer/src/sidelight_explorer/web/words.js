// @ts-check
/** Names of things, as they are shown. */
import { namedMoves } from "./names.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./types.js").Item} Item */

/** A group of layers, counted from 1. @param {[number, number]} group */
export function layersText([from, to]) {
  return to - from === 1 ? `layer ${from + 1}` : `layers ${from + 1}–${to}`;
}

/** What was done to an image: styles by their layers, then sliders. @param {App} app @param {Item} item @returns {string[]} */
export function editText(app, { start, now }) {
  const names = new Map(app.doc.styles.map(({ id, name }) => [id, name]));
  /** @type {{ text: string, from: number, to: number }[]} */
  const mixes = [];
  now.layers.forEach((mix, layer) => {
    if (JSON.stringify(mix) === JSON.stringify(start.layers[layer])) return;
    const [first, end, share] = mix.map((part) => (typeof part === "string" ? names.get(part) ?? (part === start.layers[layer]?.[0] ? "own" : part) : part));
    const text = share === 100 ? `${end}` : share === 0 ? `${first}` : `${share} % from ${first} to ${end}`;
    const last = mixes.at(-1);
    if (last?.text === text && last.to === layer) last.to = layer + 1;
    else mixes.push({ text, from: layer, to: layer + 1 });
  });
  const moves = namedMoves(app, now).map(([name, amount]) => `${name} ${amount > 0 ? "+" : "\u2212"}${Math.abs(amount)}`);
  return [...mixes.map(({ text, from, to }) => `${layersText([from, to])}: ${text}`), ...moves];
}
