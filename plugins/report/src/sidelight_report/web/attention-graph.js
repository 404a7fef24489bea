// @ts-check
import { composite } from "./composite.js";
import { DataElement, define, h, svg } from "./elements.js";
import { CAPTION, tree } from "./graph-layout.js";
import { context2d, pixels } from "./grid.js";
import { register } from "./kinds.js";
import { percent } from "./numbers.js";

/** @typedef {import("./document.js").GraphEntry} GraphEntry */
/** @typedef {import("./document.js").GraphNode} GraphNode */
/** @typedef {import("./document.js").Picture} Picture */
/** @typedef {import("./graph-layout.js").Place} Place */
/** @typedef {{ graph: GraphEntry, picture: Picture }} Data */

/** Pictures up to half of this wide are enlarged, in the dialog, by a whole number. */
const FULL = 224;
const HINT = "Every picture is the one that was scored, made smaller: press it to see it at its own size. Point at it to see its patches in the others; point at a line to see what the lost patch costs.";

/**
 * An attention graph: minimal sufficient sets of patches, and what remains of the class without one or two of them.
 * A node is the very picture that the classifier scored; pressing it shows that at its own size. Pointing at a node, or
 * focusing it, marks its patches in all other nodes; an edge says what its patch is worth.
 * @extends {DataElement<Data>}
 */
export class SlAttentionGraph extends DataElement {
  status = h("output", { class: "status", "aria-live": "polite" });
  /** @type {Map<Element, GraphNode>} */
  #nodes = new Map();
  /** @type {Map<Element, string>} */
  #edges = new Map();
  /** @type {Map<string, Promise<HTMLCanvasElement>>} */
  #scored = new Map();

  #enter = (/** @type {Event} */ { target }) => this.#show(target);
  #leave = () => this.#show(document.activeElement);
  #press = (/** @type {Event} */ event) => {
    if (event instanceof KeyboardEvent && event.key !== "Enter" && event.key !== " ") return;
    const chosen = event.target instanceof Element && event.target.closest(".node");
    const node = chosen && this.#nodes.get(chosen);
    if (!node) return;
    event.preventDefault();
    void this.#enlarge(node);
  };

  /** @param {Data} data */
  draw(data) {
    this.#nodes.clear();
    this.#edges.clear();
    this.#scored.clear();
    const roots = data.graph.nodes.flatMap(({ root }, index) => (root ? [index] : []));
    this.status.textContent = roots.length ? HINT : "No set of patches smaller than the whole image was found to be enough.";
    this.append(this.status, h("div", { class: "trees" }, ...roots.map((root, i) => this.#tree(data, root, i))), h("p", { class: "note" }, remarks(data.graph)));
    for (const name of ["pointerover", "focusin"]) this.addEventListener(name, this.#enter);
    for (const name of ["pointerout", "focusout"]) this.addEventListener(name, this.#leave);
    for (const name of ["click", "keydown"]) this.addEventListener(name, this.#press);
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
    const image = svg("image", { width: side, height: side, preserveAspectRatio: "none", class: picture.crisp ? "crisp" : "" });
    void this.#picture(node).then((canvas) => image.setAttribute("href", canvas.toDataURL()));
    const group = svg("g", { class: node.root ? "node root" : "node", transform: `translate(${x} ${y})`, tabindex: 0, role: "button", "aria-label": described(node, graph) },
      image, ...node.patches.map((patch) => svg("rect", { class: "patch", "data-patch": patch, ...square(patch, side, graph) })),
      svg("rect", { class: "border", width: side, height: side }), svg("text", { class: "confidence", x: side / 2, y: side + 14, "text-anchor": "middle" }, percent(node.confidence)),
      svg("text", { class: "lit", x: side / 2, y: side + CAPTION - 3, "text-anchor": "middle" }, `${percent(node.lit)} lit`));
    this.#nodes.set(group, node);
    return group;
  }

  /** The picture that was scored, made once for each set of patches. @param {GraphNode} node */
  #picture({ patches }) {
    const key = patches.join(" ");
    const result = this.#scored.get(key) ?? scored(patches, this.data);
    this.#scored.set(key, result);
    return result;
  }

  /** Show a node's picture pixel by pixel: at its own size, or where that is small each pixel as a square. @param {GraphNode} node */
  async #enlarge(node) {
    const { graph } = this.data;
    const canvas = await this.#picture(node);
    canvas.style.width = `${canvas.width * Math.max(1, Math.floor(FULL / canvas.width))}px`;
    const close = h("button", { type: "button" }, "Close");
    const dialog = h("dialog", { class: "scored", "aria-label": "The picture that was scored" }, canvas, h("p", {}, `${described(node, graph)}.`),
      h("p", { class: "note" }, graph.baseline ? "This is the picture that the classifier scored, pixel by pixel." : "What hid the rest is not known: it is left blank."), close);
    close.onclick = () => dialog.close();
    dialog.onclick = ({ target }) => target === dialog && dialog.close();
    dialog.onclose = () => dialog.remove();
    this.append(dialog);
    dialog.showModal();
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

  /** Outline some patches in every picture; none ends it. @param {number[]} patches */
  mark(patches) {
    const wanted = new Set(patches.map(String));
    for (const group of this.#nodes.keys()) {
      for (const patch of group.querySelectorAll("[data-patch]")) patch.classList.toggle("shared", wanted.has(patch.getAttribute("data-patch") ?? ""));
    }
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

/** A set of patches as the classifier saw it. @param {number[]} patches @param {Data} data */
async function scored(patches, { graph, picture }) {
  const [image, baseline] = await Promise.all([pixels(picture), graph.baseline ? pixels(graph.baseline) : null]);
  const canvas = h("canvas", { width: picture.width, height: picture.height });
  context2d(canvas).putImageData(composite(image, baseline, patches, graph), 0, 0);
  return canvas;
}

/** Position of an edge's label: near the child, away from the other edges of the parent. @param {number} from @param {number} to */
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
  const { patches, lit, confidence } = node;
  const [rows, columns] = graph.grid;
  const area = `${patches.length} of ${rows * columns} patches, ${percent(lit)} of the image lit,`;
  return `${area} ${patches.length === 1 ? "keeps" : "keep"} ${percent(confidence)} of the class: ${named(patches, graph)}`;
}

/** @param {number[]} patches @param {GraphEntry} graph */
function named(patches, { grid }) {
  const [, columns] = grid;
  return patches.map((patch) => `row ${Math.floor(patch / columns) + 1} column ${(patch % columns) + 1}`).join(", ");
}

/** @param {GraphEntry} graph */
function remarks({ sufficient, nodes, left_out, soft }) {
  const shown = nodes.filter(({ root }) => root).length;
  const result = sufficient > shown ? `${sufficient} minimal sufficient sets were found; ${shown === 1 ? "one is shown, as any two overlap too much" : `the ${shown} shown overlap least`}. ` : "";
  const cut = left_out > 0 ? `${left_out} more nodes are not drawn. ` : "";
  const patches = soft ? "A patch is a tent that fades to its neighbours' centres, and so lights more than its square. " : "A patch is a square with hard edges. ";
  return `${result}${cut}Percentages are of the class's probability on the whole image. ${patches}Lit: pixels to which the image gives more than 5 %.`;
}

/** Region in which a patch makes up most of the picture: its square, or of a tent the middle half. @param {number} patch @param {number} side @param {GraphEntry} graph */
function square(patch, side, { grid, soft }) {
  const [rows, columns] = grid;
  const [left, right] = ends(patch % columns, columns, soft);
  const [top, bottom] = ends(Math.floor(patch / columns), rows, soft);
  return { x: side * left, y: side * top, width: side * (right - left), height: side * (bottom - top) };
}

/** In shares of the side. @param {number} cell @param {number} cells @param {boolean} soft @returns {[number, number]} */
function ends(cell, cells, soft) {
  if (!soft || cells === 1) return [cell / cells, (cell + 1) / cells];
  return [Math.max(0, (cell - 0.5) / (cells - 1)), Math.min(1, (cell + 0.5) / (cells - 1))];
}

define("sl-attention-graph", SlAttentionGraph);
register("attention-graph", {
  tile: (entry, card) => {
    const element = h("sl-attention-graph");
    element.data = { graph: entry, picture: card.picture };
    return { body: [element], span: 0, note: `attention graph ${entry.side}` };
  },
  map: smallest,
  legend: "Of an attention graph, the first set of patches that is enough.",
});

/** The picture of the first root; null without any. @param {GraphEntry} graph @param {import("./document.js").Card} card */
function smallest(graph, { picture }) {
  const root = graph.nodes.find((node) => node.root);
  if (!root) return null;
  const frame = h("div", { class: picture.crisp ? "frame crisp" : "frame", role: "img", "aria-label": described(root, graph) });
  frame.style.aspectRatio = `${picture.width} / ${picture.height}`;
  void scored(root.patches, { graph, picture }).then((canvas) => frame.append(canvas));
  return frame;
}
