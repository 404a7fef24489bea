// @ts-check
/** Layout of an attention graph: one tree for each root, from left to right, equal sets once in a tree. */

/** @typedef {import("./document.js").GraphNode} GraphNode */
/** @typedef {{ node: GraphNode, depth: number, x: number, y: number, side: number }} Place */
/** @typedef {{ places: Map<number, Place>, edges: [number, number][], width: number, height: number }} Tree */

const SIDES = [112, 88, 68];
const BETWEEN = { columns: 46, rows: 8 };
export const CAPTION = 31;

/**
 * The tree below one root.
 * @param {GraphNode[]} nodes
 * @param {number} root index into `nodes`
 * @returns {Tree}
 */
export function tree(nodes, root) {
  const columns = levels(nodes, root);
  const heights = columns.map((column, depth) => column.length * (side(depth) + CAPTION + BETWEEN.rows) - BETWEEN.rows);
  const height = Math.max(...heights);
  /** @type {Map<number, Place>} */
  const places = new Map();
  let x = 0;
  for (const [depth, column] of columns.entries()) {
    const top = (height - (heights[depth] ?? 0)) / 2;
    for (const [i, index] of column.entries()) {
      const node = nodes[index];
      if (node) places.set(index, { node, depth, x, y: top + i * (side(depth) + CAPTION + BETWEEN.rows), side: side(depth) });
    }
    x += side(depth) + BETWEEN.columns;
  }
  return { places, edges: edges(places), width: x - BETWEEN.columns, height };
}

/** Breadth first, each node at its distance from the root. @param {GraphNode[]} nodes @param {number} root */
function levels(nodes, root) {
  const seen = new Set([root]);
  const levels = [[root]];
  for (const level of levels) {
    const below = level.flatMap((index) => nodes[index]?.children ?? []).filter((child) => !seen.has(child) && seen.add(child));
    if (below.length) levels.push(below);
  }
  return levels;
}

/** @param {Map<number, Place>} places @returns {[number, number][]} */
function edges(places) {
  return [...places].flatMap(([index, { node }]) =>
    node.children.filter((child) => places.has(child)).map((child) => /** @type {[number, number]} */ ([index, child])));
}

/** @param {number} depth */
function side(depth) {
  return SIDES[Math.min(depth, SIDES.length - 1)] ?? 0;
}
