// @ts-check
/** Edits of a session: pure functions from a document to a document. */
import { plain, withLayers, withStyle } from "./spec.js";

/** @typedef {import("./types.js").Document} Document */
/** @typedef {import("./types.js").Item} Item */
/** @typedef {import("./types.js").Edit} Edit */
/** @typedef {import("./types.js").EditedMix} EditedMix */
/** @typedef {import("./types.js").Spec} Spec */
/** @typedef {import("./types.js").Label} Label */
/** @typedef {import("./types.js").Slider} Slider */
/** @typedef {import("./types.js").Style} Style */
/** @typedef {import("./types.js").Verdict} Verdict */
/** @typedef {import("./types.js").Test} Test */
/** @typedef {import("./types.js").Curve} Curve */
/** @typedef {[number, number]} Group */

export const MOST_KEPT = 20; // tests and curves of one hypothesis; a file with more does not open

/**
 * @param {Document} doc
 * @param {string} id
 * @param {(spec: Spec) => Spec} change
 * @returns {Document}
 */
function changed(doc, id, change) {
  return { ...doc, images: doc.images.map((item) => (item.id === id ? { ...item, now: change(item.now) } : item)) };
}

/** A style for a group of layers. @param {Document} doc @param {string} id @param {Group} group @param {string} style */
export function pick(doc, id, group, style) {
  return changed(doc, id, (spec) => withStyle(spec, group, style));
}

/** Start style of a group's interpolation. @param {Document} doc @param {string} id @param {Group} group @param {string} style */
export function pickStart(doc, id, group, style) {
  return changed(doc, id, (spec) => withLayers(spec, group, ([, end, share]) => [style, end, share]));
}

/** Interpolate a group to a share. @param {Document} doc @param {string} id @param {Group} group @param {number} share */
export function slide(doc, id, group, share) {
  return changed(doc, id, (spec) => withLayers(spec, group, ([start, end]) => [start, end, share]));
}

/** Attributes moved. @param {Document} doc @param {string} id @param {Record<string, number>} moves percent by attribute */
export function moveTo(doc, id, moves) {
  return changed(doc, id, (spec) => ({ ...spec, moves: { ...spec.moves, ...moves } }));
}

/** Sliders named, starred or hidden; null forgets what was. @param {Document} doc @param {string[]} ids @param {Label | null} change @returns {Document} */
export function label(doc, ids, change) {
  const others = Object.entries(doc.labels ?? {}).filter(([id]) => !ids.includes(id));
  const own = ids.map((id) => /** @type {[string, Label]} */ ([id, only({ ...doc.labels?.[id], ...change })]));
  return { ...doc, labels: Object.fromEntries(change ? [...others, ...own.filter(([, one]) => Object.keys(one).length > 0)] : others) };
}

/** A label without what is as in the beginning. @param {Label} label @returns {Label} */
function only(label) {
  return Object.fromEntries(Object.entries(label).filter(([, value]) => Boolean(value)));
}

/** @param {Document} doc @param {Slider} slider @returns {Document} */
export function addSlider(doc, slider) {
  return { ...doc, sliders: [...doc.sliders.filter(({ id }) => id !== slider.id), slider] };
}

/** A slider gone, and no image moved by it. @param {Document} doc @param {string} slider @returns {Document} */
export function withoutSlider(doc, slider) {
  /** @param {Spec} spec @returns {Spec} */
  const still = (spec) => ({ ...spec, moves: Object.fromEntries(Object.entries(spec.moves).filter(([id]) => id !== slider)) });
  return { ...doc, sliders: doc.sliders.filter(({ id }) => id !== slider), images: doc.images.map((item) => ({ ...item, start: still(item.start), now: still(item.now) })) };
}

/** A row renamed, starred or hidden. @param {Document} doc @param {string} id @param {Partial<Style>} change @returns {Document} */
export function changeStyle(doc, id, change) {
  return { ...doc, styles: doc.styles.map((style) => (style.id === id ? { ...style, ...change } : style)) };
}

/** Back to the start. @param {Document} doc @param {string} id @returns {Document} */
export function reset(doc, id) {
  return { ...doc, images: doc.images.map((item) => (item.id === id ? { ...item, now: item.start } : item)) };
}

/**
 * What was done to an image: its mixes in the layers, and its sliders, that are no longer as they began. A style that the
 * image began with is left open, for another image to put its own there.
 * @param {Item} item
 * @returns {Edit}
 */
export function editOf({ start, now }) {
  const ids = Object.keys({ ...start.moves, ...now.moves });
  const moves = ids.flatMap((id) => ((now.moves[id] ?? 0) === (start.moves[id] ?? 0) ? [] : [/** @type {const} */ ([id, now.moves[id] ?? 0])]));
  const layers = now.layers.map((mix, layer) => {
    const own = start.layers[layer]?.[0];
    /** @param {string} style */
    const open = (style) => (style === own ? null : style);
    return JSON.stringify(mix) === JSON.stringify(start.layers[layer]) ? null : /** @type {EditedMix} */ ([open(mix[0]), open(mix[1]), mix[2]]);
  });
  return { layers, moves: Object.fromEntries(moves) };
}

/** The same edit on another image. @param {Document} doc @param {string} id @param {Edit} edit @returns {Document} */
export function applyEdit(doc, id, edit) {
  const own = doc.images.find((item) => item.id === id)?.start.layers;
  return changed(doc, id, (spec) => ({
    layers: spec.layers.map((mix, layer) => {
      const [other, style] = [edit.layers[layer], own?.[layer]?.[0] ?? mix[0]];
      return other ? [other[0] ?? style, other[1] ?? style, other[2]] : mix;
    }),
    moves: { ...spec.moves, ...edit.moves },
  }));
}

/** A copy behind the image, that resets to what it is now. @param {Document} doc @param {string} id @returns {Document} */
export function duplicate(doc, id) {
  const index = doc.images.findIndex((item) => item.id === id);
  const item = doc.images[index];
  if (!item) return doc;
  const copy = { ...item, id: freeId(doc), name: `${item.name} copy`, start: item.now };
  return { ...doc, images: doc.images.toSpliced(index + 1, 0, copy) };
}

/** @param {Document} doc @param {string} id @returns {Document} */
export function remove(doc, id) {
  return { ...doc, images: doc.images.filter((item) => item.id !== id) };
}

/** Images of whole styles, added. @param {Document} doc @param {Style[]} styles @returns {Document} */
export function addImages(doc, styles) {
  return styles.reduce((now, { id, name }) => {
    const spec = plain(id, now.layers);
    return { ...now, images: [...now.images, { id: freeId(now), name, start: spec, now: spec }] };
  }, doc);
}

/** Rows of the matrix, added; those that are there already stay once. @param {Document} doc @param {Style[]} styles @returns {Document} */
export function addStyles(doc, styles) {
  const known = new Set(doc.styles.map(({ id }) => id));
  return { ...doc, styles: [...doc.styles, ...styles.filter(({ id }) => !known.has(id))] };
}

/** Other rows. @param {Document} doc @param {Style[]} styles @returns {Document} */
export function setStyles(doc, styles) {
  return addStyles({ ...doc, styles: [] }, styles);
}

/** @param {Document} doc @param {string} style @returns {Document} */
export function removeStyle(doc, style) {
  return { ...doc, styles: doc.styles.filter(({ id }) => id !== style) };
}

/** @param {Document} doc @param {number} groups @returns {Document} */
export function regroup(doc, groups) {
  return { ...doc, groups };
}

/**
 * Random mixes of the matrix's styles: each group gets two and a share.
 * @param {Document} doc
 * @param {string[]} ids the images
 * @param {Group[]} groups
 * @param {() => number} random in [0, 1)
 */
export function shuffle(doc, ids, groups, random) {
  const any = () => doc.styles[Math.floor(random() * doc.styles.length)]?.id ?? "average";
  return ids.reduce((now, id) => changed(now, id, (spec) => groups.reduce((mixed, group) => {
    const [start, end, share] = [any(), any(), Math.floor(random() * 101)];
    return withLayers(mixed, group, () => [start, end, share]);
  }, spec)), doc);
}

/** @param {Document} doc @param {string} image @param {string} text @returns {Document} */
export function addNote(doc, image, text) {
  const number = 1 + Math.max(0, ...doc.notes.map(({ id }) => Number(id.slice(1)) || 0));
  return { ...doc, notes: [...doc.notes, { id: `n${number}`, image, text, verdict: "open" }] };
}

/** @param {Document} doc @param {string} id @param {Verdict} verdict @returns {Document} */
export function judge(doc, id, verdict) {
  return { ...doc, notes: doc.notes.map((note) => (note.id === id ? { ...note, verdict } : note)) };
}

/** A test that was made, and the verdict that it proposes where the note has none; none that is there gives way. @param {Document} doc @param {string} id @param {Test} test @param {Verdict} verdict @returns {Document} */
export function addTest(doc, id, test, verdict) {
  return { ...doc, notes: doc.notes.map((note) => (note.id !== id || (note.tests?.length ?? 0) >= MOST_KEPT ? note
    : { ...note, tests: [...(note.tests ?? []), test], verdict: note.verdict === "open" ? verdict : note.verdict })) };
}

/** Why the verdict is not the proposed one. @param {Document} doc @param {string} id @param {string} reason @returns {Document} */
export function explain(doc, id, reason) {
  return { ...doc, notes: doc.notes.map((note) => (note.id === id ? { ...note, reason } : note)) };
}

/** A response curve that belongs to a hypothesis, if it has room. @param {Document} doc @param {string} id @param {Curve} curve @returns {Document} */
export function addCurve(doc, id, curve) {
  return { ...doc, notes: doc.notes.map((note) => (note.id === id && (note.curves?.length ?? 0) < MOST_KEPT ? { ...note, curves: [...(note.curves ?? []), curve] } : note)) };
}

/** @param {Document} doc @param {string} id @returns {Document} */
export function removeNote(doc, id) {
  return { ...doc, notes: doc.notes.filter((note) => note.id !== id) };
}

/** @param {Document} doc */
function freeId(doc) {
  return `i${1 + Math.max(0, ...doc.images.map(({ id }) => Number(id.slice(1)) || 0))}`;
}
