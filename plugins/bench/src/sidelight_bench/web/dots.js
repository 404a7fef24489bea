// @ts-check
import { svg } from "./elements.js";

const WIDTH = 240;
const HEIGHT = 18;

/**
 * A value with its interval on a scale, and lines of reference.
 * @param {{ value: number | null, low: number | null, high: number | null }} one
 * @param {{ from: number, to: number, lines: { at: number | null, class: string }[], label: string }} scale
 */
export function dotAndBar({ value, low, high }, { from, to, lines, label }) {
  const x = (/** @type {number} */ at) => 5 + (WIDTH - 10) * Math.min(1, Math.max(0, (at - from) / (to - from)));
  const middle = HEIGHT / 2;
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "dots", role: "img", "aria-label": label },
    svg("line", { x1: x(from), x2: x(to), y1: middle, y2: middle, class: "rail" }),
    ...lines.filter(({ at }) => at !== null).map((line) => {
      const at = x(/** @type {number} */ (line.at));
      return svg("line", { x1: at, x2: at, y1: 0, y2: HEIGHT, class: line.class });
    }),
    low !== null && high !== null && svg("line", { x1: x(low), x2: x(high), y1: middle, y2: middle, class: "interval" }),
    value !== null && svg("circle", { cx: x(value), cy: middle, r: 4.5, class: "dot" }));
}

/**
 * Scores of the models that use a factor, and of those that do not, on one line.
 * @param {{ score: number, used: boolean | null, title: string }[]} points
 */
export function strip(points) {
  const known = points.map(({ score }) => score);
  const low = Math.min(...known), high = Math.max(...known);
  const x = (/** @type {number} */ at) => 6 + (WIDTH - 12) * (high > low ? (at - low) / (high - low) : 0.5);
  return svg("svg", { viewBox: `0 0 ${WIDTH} 34`, class: "dots strip", role: "img", "aria-label": "scores of models that use the factor, above, and of the others, below" },
    svg("line", { x1: 6, x2: WIDTH - 6, y1: 17, y2: 17, class: "rail" }),
    ...points.map(({ score, used, title }) => svg("circle", {
      cx: x(score), cy: used ? 9 : used === null ? 17 : 25, r: 4, class: used ? "user" : used === null ? "undecided" : "other",
    }, svg("title", {}, title))));
}
