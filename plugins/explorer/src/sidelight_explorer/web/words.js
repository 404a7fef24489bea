// @ts-check
/** Names of things, as they are shown. */
import { amountOf, idsOf, linesOf, nameOf, slidersOf } from "./names.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./types.js").Item} Item */
/** @typedef {import("./types.js").Edit} Edit */

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
  const moves = linesOf(slidersOf(app)).filter((line) => amountOf(now, line) !== amountOf(start, line)).map((line) => moveText(nameOf(app, line), amountOf(now, line)));
  return [...mixes.map(({ text, from, to }) => `${layersText([from, to])}: ${text}`), ...moves];
}

/** A style's name, or that of the image that began with it. @param {App} app @param {string | null} id */
export function styleName(app, id) {
  if (id === null) return "its own";
  const image = app.doc.images.find(({ start }) => start.layers.every(([style]) => style === id));
  return app.doc.styles.find((one) => one.id === id)?.name ?? image?.name ?? id;
}

/** An edit for any image: layers with the same mix together, then sliders. @param {App} app @param {Edit} edit */
export function openEditText(app, edit) {
  /** @type {{ from: number, to: number, text: string }[]} */
  const runs = [];
  for (const [layer, mix] of edit.layers.entries()) {
    if (!mix) continue;
    const [start, end, share] = mix;
    const text = share === 0 || share === 100 || start === end ? styleName(app, share === 100 ? end : start) : `${styleName(app, start)} to ${styleName(app, end)}, ${share} %`;
    const last = runs.at(-1);
    if (last && last.to === layer && last.text === text) last.to = layer + 1;
    else runs.push({ from: layer, to: layer + 1, text });
  }
  const moves = linesOf(slidersOf(app)).filter((line) => idsOf(line).some((id) => id in edit.moves))
    .map((line) => moveText(nameOf(app, line), amountOf({ layers: [], moves: edit.moves }, line)));
  return [...runs.map(({ from, to, text }) => `${layersText([from, to])}: ${text}`), ...moves].join("; ");
}

/** Where a slider stands. @param {string} name @param {number} amount percent */
function moveText(name, amount) {
  return `${name} ${amount > 0 ? "+" : amount < 0 ? "\u2212" : ""}${Math.abs(amount)}`;
}

/** Whether an edit changes anything. @param {Edit} edit */
export function isEdit(edit) {
  return edit.layers.some((mix) => mix !== null) || Object.keys(edit.moves).length > 0;
}
