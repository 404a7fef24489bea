// @ts-check
import { h, svg } from "./elements.js";
import { number } from "./data.js";

/** @typedef {import("./data.js").Row} Row */

const WIDTH = 640, HEIGHT = 300, LEFT = 44, BOTTOM = 38, TOP = 12, RIGHT = 12;

/**
 * Cost of a method against its score.
 * @param {Row[]} rows
 * @param {string} measure
 * @param {number | null} chance what guessing gives
 * @param {(method: string) => void} choose
 */
export function costs(rows, measure, chance, choose) {
  const shown = rows.filter((row) => row[measure] !== null && row.seconds > 0);
  if (shown.length < 2) return h("p", { class: "note" }, "Nothing to draw: no method has both a cost and a score here.");
  const logs = shown.map((row) => Math.log10(row.seconds));
  const low = Math.floor(Math.min(...logs)), high = Math.max(low + 1, Math.ceil(Math.max(...logs)));
  const least = Math.min(0.4, ...shown.map((row) => row[measure]));
  const x = (/** @type {number} */ at) => LEFT + (WIDTH - LEFT - RIGHT) * (at - low) / (high - low);
  const y = (/** @type {number} */ at) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (at - least) / (1 - least));
  const decades = Array.from({ length: high - low + 1 }, (_, index) => low + index);
  const levels = [-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1].filter((level) => level >= least);
  const dots = shown.map((row) => {
    const dot = svg("circle", { cx: x(Math.log10(row.seconds)), cy: y(row[measure]), r: 6, class: `family ${row.family}`, tabindex: 0, role: "button",
      "aria-label": `${row.method}: ${number(row[measure])}, ${number(row.seconds)} seconds an image` },
      svg("title", {}, `${row.method}: ${number(row[measure])}, ${number(row.seconds)} s an image`));
    dot.addEventListener("click", () => choose(row.method));
    dot.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(row.method); } });
    return dot;
  });
  return h("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": "Cost against score" },
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "scatter" },
      ...decades.map((at) => svg("g", {}, svg("line", { x1: x(at), x2: x(at), y1: TOP, y2: HEIGHT - BOTTOM, class: "grid" }),
        svg("text", { x: x(at), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, at < 0 ? (10 ** at).toFixed(-at) : String(10 ** at)))),
      ...levels.map((at) => svg("g", {}, svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(at), y2: y(at), class: "grid" }),
        svg("text", { x: LEFT - 6, y: y(at) + 4, "text-anchor": "end" }, at.toFixed(2)))),
      chance !== null && chance >= least && svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(chance), y2: y(chance), class: "chance" }),
      svg("text", { x: (LEFT + WIDTH) / 2, y: HEIGHT - 4, "text-anchor": "middle" }, "seconds an image, when it was computed"),
      ...dots));
}
