// @ts-check
/** Images as data; the same rules as `session/edit.py` on the server, so that both give an image the same key. */

/** @typedef {import("./types.js").Spec} Spec */
/** @typedef {import("./types.js").Mix} Mix */

/**
 * The key of an image: its mixes in their only form, and what was moved, in order of the names.
 * @param {Spec} spec
 */
export function keyOf(spec) {
  const layers = spec.layers.map(([start, end, share]) =>
    share === 0 || start === end ? [start, start, 0] : share === 100 ? [end, end, 0] : [start, end, share]);
  const moves = Object.entries(spec.moves).filter(([, amount]) => amount !== 0).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([layers, moves]);
}

/**
 * One style in all layers.
 * @param {string} style
 * @param {number} layers
 * @returns {Spec}
 */
export function plain(style, layers) {
  return { layers: Array.from({ length: layers }, () => /** @type {Mix} */ ([style, style, 0])), moves: {} };
}

/**
 * Adjacent layers in groups as even as can be, the first ones larger: for each its first layer and the one after its last.
 * @param {number} layers
 * @param {number} groups
 * @returns {[number, number][]}
 */
export function groupsOf(layers, groups) {
  const size = Math.floor(layers / groups);
  const ends = Array.from({ length: groups }, (_, index) => (index + 1) * size + Math.min(index + 1, layers % groups));
  return ends.map((end, index) => [ends[index - 1] ?? 0, end]);
}

/**
 * The spec with the layers of a group changed.
 * @param {Spec} spec
 * @param {[number, number]} group
 * @param {(mix: Mix) => Mix} change
 * @returns {Spec}
 */
export function withLayers(spec, [from, to], change) {
  return { ...spec, layers: spec.layers.map((mix, layer) => (layer >= from && layer < to ? change(mix) : mix)) };
}

/**
 * The spec with a group all the way at another style.
 * @param {Spec} spec
 * @param {[number, number]} group
 * @param {string} style
 */
export function withStyle(spec, group, style) {
  return withLayers(spec, group, ([start]) => [start, style, 100]);
}

/**
 * The mix of a group, where its layers agree; otherwise that of its first layer.
 * @param {Spec} spec
 * @param {[number, number]} group
 * @returns {Mix}
 */
export function mixOf(spec, [from]) {
  return spec.layers[from] ?? ["average", "average", 0];
}

/**
 * Whether the layers of a group differ, because they were mixed in other groups.
 * @param {Spec} spec
 * @param {[number, number]} group
 */
export function disagree(spec, [from, to]) {
  const one = JSON.stringify(spec.layers[from]);
  return spec.layers.slice(from, to).some((mix) => JSON.stringify(mix) !== one);
}

/**
 * The id of a random draw.
 * @param {number} seed
 * @param {number} index
 * @param {number} percent
 * @param {number} [condition] the class, of a class-conditional generator
 */
export function drawId(seed, index, percent, condition) {
  return `draw-${seed}-${index}-${percent}${condition === undefined ? "" : `-${condition}`}`;
}
