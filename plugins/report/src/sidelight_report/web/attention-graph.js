// @ts-check
import { DataElement, define, h, svg } from "./elements.js";
import { percent } from "./numbers.js";

/** @typedef {import("./document.js").GraphEntry} GraphEntry */
/** @typedef {import("./document.js").GraphNode} GraphNode */
/** @typedef {import("./document.js").Picture} Picture */

const SIDE = 88;
const GAP = { x: 20, y: 44 };

/**
 * An attention graph: minimal sufficient sets of patches above what remains of the class without one of them.
 * @extends {DataElement<{ graph: GraphEntry, picture: Picture }>}
 */
export class SlAttentionGraph extends DataElement {
  /** @param {{ graph: GraphEntry, picture: Picture }} data */
  draw({ graph, picture }) {
    const places = layout(graph.nodes);
    const width = Math.max(...places.map(({ x }) => x)) + SIDE + 1;
    const height = Math.max(...places.map(({ y }) => y)) + SIDE + 24;
    const edges = graph.nodes.flatMap((node, i) => node.children.map((child) => edge(places[i], places[child])));
    const drawing = svg("svg", { viewBox: `-1 -1 ${width + 1} ${height}`, width, height, role: "img", "aria-label": describe(graph) },
      ...edges, ...graph.nodes.map((node, i) => drawNode(node, places[i] ?? { x: 0, y: 0 }, graph, picture)));
    this.append(h("div", { class: "scroller", tabindex: 0, role: "group", "aria-label": "Attention graph" }, drawing),
      graph.left_out > 0 ? h("p", { class: "note" }, `${graph.left_out} more nodes are not drawn.`) : "");
  }
}

/** @param {GraphEntry} graph */
function describe(graph) {
  const roots = graph.nodes.filter(({ root }) => root).map(({ patches, confidence }) => `${patches.length} patches keep ${percent(confidence)}`);
  return `Sufficient sets of patches: ${roots.join("; ")}`;
}

/** One row of nodes for each depth. @param {GraphNode[]} nodes */
function layout(nodes) {
  /** @type {Map<number, number>} */
  const filled = new Map();
  return nodes.map(({ depth }) => {
    const place = filled.get(depth) ?? 0;
    filled.set(depth, place + 1);
    return { x: place * (SIDE + GAP.x), y: depth * (SIDE + GAP.y) };
  });
}

/**
 * @param {{ x: number, y: number } | undefined} from
 * @param {{ x: number, y: number } | undefined} to
 */
function edge(from, to) {
  if (!from || !to) return null;
  return svg("line", { class: "edge", x1: from.x + SIDE / 2, y1: from.y + SIDE + 18, x2: to.x + SIDE / 2, y2: to.y });
}

/**
 * @param {GraphNode} node
 * @param {{ x: number, y: number }} place
 * @param {GraphEntry} graph
 * @param {Picture} picture
 */
function drawNode(node, place, graph, picture) {
  const [rows, columns] = graph.grid;
  const hidden = Array.from({ length: rows * columns }, (_, patch) => patch).filter((patch) => !node.patches.includes(patch));
  const image = { href: picture.src, width: SIDE, height: SIDE, preserveAspectRatio: "none", class: picture.crisp ? "crisp" : "" };
  const veil = hidden.map((patch) => svg("rect", {
    class: "veil", x: (SIDE * (patch % columns)) / columns, y: (SIDE * Math.floor(patch / columns)) / rows, width: SIDE / columns + 0.3, height: SIDE / rows + 0.3,
  }));
  return svg("g", { class: node.root ? "node root" : "node", transform: `translate(${place.x} ${place.y})` },
    svg("image", image), ...veil, svg("rect", { class: "border", width: SIDE, height: SIDE }),
    svg("text", { x: SIDE / 2, y: SIDE + 14, "text-anchor": "middle" }, percent(node.confidence)));
}

define("sl-attention-graph", SlAttentionGraph);
