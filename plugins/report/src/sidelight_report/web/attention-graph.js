// @ts-check
import { DataElement, define, h, svg } from "./elements.js";
import { CAPTION, tree } from "./graph-layout.js";
import { percent } from "./numbers.js";

/** @typedef {import("./document.js").GraphEntry} GraphEntry */
/** @typedef {import("./document.js").GraphNode} GraphNode */
/** @typedef {import("./document.js").Picture} Picture */
/** @typedef {import("./graph-layout.js").Place} Place */
/** @typedef {{ graph: GraphEntry, picture: Picture }} Data */

const HINT = "Point at a picture to see its patches in the others, or at a line to see what the lost patch costs.";
let masks = 0;

/**
 * An attention graph: minimal sufficient sets of patches, and what remains of the class without one or two of them.
 * Pointing at a node, or focusing it, marks its patches in all other nodes; an edge says what its patch is worth.
 * @extends {DataElement<Data>}
 */
export class SlAttentionGraph extends DataElement {
  status = h("output", { class: "status", "aria-live": "polite" });
  /** @type {Map<Element, GraphNode>} */
  #nodes = new Map();
  /** @type {Map<Element, string>} */
  #edges = new Map();

  #enter = (/** @type {Event} */ { target }) => this.#show(target);
  #leave = () => this.#show(document.activeElement);

  /** @param {Data} data */
  draw(data) {
    this.#nodes.clear();
    this.#edges.clear();
    const roots = data.graph.nodes.flatMap(({ root }, index) => (root ? [index] : []));
    this.status.textContent = roots.length ? HINT : "No set of patches smaller than the whole image was found to be enough.";
    this.append(this.status, h("div", { class: "trees" }, ...roots.map((root, i) => this.#tree(data, root, i))), h("p", { class: "note" }, remarks(data.graph)));
    for (const name of ["pointerover", "focusin"]) this.addEventListener(name, this.#enter);
    for (const name of ["pointerout", "focusout"]) this.addEventListener(name, this.#leave);
  }

  /** @param {Data} data @param {number} root @param {number} number */
  #tree(data, root, number) {
    const { places, edges, width, height } = tree(data.graph.nodes, root);
    const nodes = [...places.values()].map((place) => this.#node(place, data));
    const lines = edges.flatMap(([from, to]) => this.#edge(places.get(from), places.get(to), data.graph));
    const label = `Explanation ${number + 1}: ${described(data.graph.nodes[root], data.graph)}`;
    const drawing = svg("svg", { viewBox: `-2 -2 ${width + 4} ${height + 4}`, width: width + 4, height: height + 4 }, ...nodes, ...lines);
    return h("div", { class: "tree scroller", role: "group", "aria-label": label }, drawing);
  }

  /** @param {Place} place @param {Data} data */
  #node({ node, x, y, side }, { graph, picture }) {
    const group = svg("g", { class: node.root ? "node root" : "node", transform: `translate(${x} ${y})`, tabindex: 0, role: "img", "aria-label": described(node, graph) },
      ...masked(node, side, graph, picture), ...node.patches.map((patch) => svg("rect", { class: "patch", "data-patch": patch, ...square(patch, side, graph) })),
      svg("rect", { class: "border", width: side, height: side }), svg("text", { x: side / 2, y: side + CAPTION - 4, "text-anchor": "middle" }, percent(node.confidence)));
    this.#nodes.set(group, node);
    return group;
  }

  /** @param {Place | undefined} from @param {Place | undefined} to @param {GraphEntry} graph */
  #edge(from, to, graph) {
    if (!from || !to) return [];
    const ends = { x1: from.x + from.side, y1: from.y + from.side / 2, x2: to.x, y2: to.y + to.side / 2 };
    const lost = from.node.patches.filter((patch) => !to.node.patches.includes(patch));
    const drop = Math.round(100 * (from.node.confidence - to.node.confidence));
    const text = `Without ${named(lost, graph)}: ${percent(from.node.confidence)} → ${percent(to.node.confidence)}`;
    const effect = `${drop > 0 ? "−" : drop < 0 ? "+" : ""}${Math.abs(drop)}`;
    const group = svg("g", { class: `edge ${drop < 20 ? "weak" : drop < 60 ? "strong" : "decisive"}`, tabindex: 0, role: "img", "aria-label": `${text}, ${effect} points` },
      svg("line", { class: "reach", ...ends }), svg("line", { class: "stroke", ...ends }),
      ...[from, to].flatMap((place) => lost.map((patch) => svg("rect", { class: "lost", ...square(patch, place.side, graph), transform: `translate(${place.x} ${place.y})` }))),
      svg("text", { x: part(ends.x1, ends.x2), y: part(ends.y1, ends.y2) + 4, "text-anchor": "middle" }, effect));
    this.#edges.set(group, `${text}, ${effect} points.`);
    return [group];
  }

  /** Mark what belongs to the node or edge that holds `target`; nothing where there is none. @param {EventTarget | null} target */
  #show(target) {
    const chosen = target instanceof Element && this.contains(target) ? target.closest(".node, .edge") : null;
    const node = chosen && this.#nodes.get(chosen);
    const patches = new Set(node ? node.patches.map(String) : []);
    let sharing = 0;
    for (const group of this.#nodes.keys()) {
      const shared = [...group.querySelectorAll("[data-patch]")].filter((patch) => patch.classList.toggle("shared", patches.has(patch.getAttribute("data-patch") ?? "")));
      group.classList.toggle("apart", Boolean(node) && !shared.length);
      if (group !== chosen && shared.length) sharing += 1;
    }
    if (chosen) this.status.textContent = node ? `${described(node, this.data.graph)}. ${others(sharing)}` : (this.#edges.get(chosen) ?? "");
    else if (this.#nodes.size) this.status.textContent = HINT;
  }
}

/** Where an edge's label stands: nearer to the child, where the edges of one node have parted. @param {number} from @param {number} to */
function part(from, to) {
  return from + 0.6 * (to - from);
}

/** @param {number} sharing */
function others(sharing) {
  return sharing ? `${sharing} other ${sharing === 1 ? "picture shows" : "pictures show"} some of them.` : "No other picture shows any of them.";
}

/** @param {GraphNode | undefined} node @param {GraphEntry} graph */
function described(node, graph) {
  if (!node) return "";
  return `${node.patches.length === 1 ? "1 patch keeps" : `${node.patches.length} patches keep`} ${percent(node.confidence)} of the class: ${named(node.patches, graph)}`;
}

/** @param {number[]} patches @param {GraphEntry} graph */
function named(patches, { grid }) {
  const [, columns] = grid;
  return patches.map((patch) => `row ${Math.floor(patch / columns) + 1} column ${(patch % columns) + 1}`).join(", ");
}

/** @param {GraphEntry} graph */
function remarks({ sufficient, nodes, left_out, soft }) {
  const shown = nodes.filter(({ root }) => root).length;
  const found = sufficient > shown ? `${sufficient} minimal sufficient sets were found; the ${shown === 1 ? "one" : shown} shown overlap least. ` : "";
  const cut = left_out > 0 ? `${left_out} more nodes are not drawn. ` : "";
  return `${found}${cut}Percentages are of the class's probability on the whole image${soft ? "; the borders of patches are blended" : ""}.`;
}

/**
 * The image where patches are visible, over what hides the rest.
 * @param {GraphNode} node
 * @param {number} side
 * @param {GraphEntry} graph
 * @param {Picture} picture
 */
function masked(node, side, graph, picture) {
  const mask = `sl-mask-${masks++}`;
  const place = { width: side, height: side, preserveAspectRatio: "none", class: picture.crisp ? "crisp" : "" };
  const windows = svg("g", { class: graph.soft ? "soft" : "" }, ...node.patches.map((patch) => svg("rect", { fill: "#fff", ...square(patch, side, graph) })));
  return [svg("image", { href: (graph.baseline ?? picture).src, ...place }), svg("rect", { class: "veil", width: side, height: side }),
    svg("mask", { id: mask, maskUnits: "userSpaceOnUse", x: 0, y: 0, width: side, height: side }, windows), svg("image", { href: picture.src, mask: `url(#${mask})`, ...place })];
}

/** @param {number} patch @param {number} side @param {GraphEntry} graph */
function square(patch, side, { grid }) {
  const [rows, columns] = grid;
  return { x: (side * (patch % columns)) / columns, y: (side * Math.floor(patch / columns)) / rows, width: side / columns, height: side / rows };
}

define("sl-attention-graph", SlAttentionGraph);
