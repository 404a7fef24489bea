// @ts-check
/** Small plots: a test beside random edits, and a response curve. */
import { SIZES, fixed, outcomeOf } from "./hypothesis.js";

/** @typedef {import("./types.js").Test} Test */
/** @typedef {import("./types.js").Curve} Curve */

const SPACE = "http://www.w3.org/2000/svg";
const WIDTH = 360;
const [LEFT, RIGHT] = [112, 12]; // of the strips: their names stand to the left
const ROW = 22;

/**
 * A drawn element; every text goes in as text.
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {...(Node | string)} children
 */
function s(tag, attributes, ...children) {
  const element = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** @param {number} height @param {string} label */
function drawing(height, label) {
  return s("svg", { viewBox: `0 0 ${WIDTH} ${height}`, class: "plot", role: "img", "aria-label": label });
}

/** Round places for marks between two ends. @param {number} low @param {number} high @param {number} most */
function ticks(low, high, most) {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10) * power;
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, index) => (first + index) * step);
}

/** Mean change with its interval, and that of every random edit; the changes that do not matter are shaded. @param {Test} test */
export function testPlot({ measured, expected, least }) {
  const outcome = outcomeOf(measured, expected, least);
  const rows = [{ name: "this edit", size: "" }, ...outcome.compared.map(({ size }) => ({ name: `random, ${SIZES[size].replace("in the", "in")}`, size }))];
  const values = [outcome.mean, outcome.low, outcome.high, least, -least, ...measured.controls.map(({ change }) => change)].filter(Number.isFinite);
  const reach = 1.08 * Math.max(...values.map(Math.abs)) || 1;
  /** @param {number} value */
  const x = (value) => LEFT + (value + reach) / (2 * reach) * (WIDTH - LEFT - RIGHT);
  const bottom = rows.length * ROW + 4;
  const svg = drawing(bottom + 18, `Mean change ${fixed(outcome.mean)} beside ${measured.controls.length} random edits`);
  svg.append(s("rect", { x: x(-least), y: 2, width: x(least) - x(-least), height: bottom - 2, class: "least" }), s("line", { x1: x(0), x2: x(0), y1: 2, y2: bottom, class: "zero" }));
  for (const [place, { name, size }] of rows.entries()) {
    const y = 14 + place * ROW;
    svg.append(s("text", { x: LEFT - 8, y: y + 4, class: "end" }, name));
    if (size) {
      for (const control of measured.controls) if (control.size === size) svg.append(s("circle", { cx: x(control.change), cy: y, r: 3, class: "random" }));
      continue;
    }
    if (Number.isFinite(outcome.low)) svg.append(s("line", { x1: x(outcome.low), x2: x(outcome.high), y1: y, y2: y, class: "interval" }));
    svg.append(s("circle", { cx: x(outcome.mean), cy: y, r: 4.5, class: "edit" }));
  }
  for (const value of ticks(-reach, reach, 5)) svg.append(s("text", { x: x(value), y: bottom + 13, class: "middle" }, short(value)));
  return svg;
}

/** Scores along a curve; for random draws their mean and the middle 80 %. @param {Curve} curve @param {{ low: number, high: number } | null} scale ends of the scores, where they are known @param {number | null} mark a position */
export function curvePlot({ positions, scores, band, along }, scale, mark = null) {
  const [height, left, top] = [190, 44, 8];
  const bottom = height - 34;
  const all = [...scores, ...(band ? [...band.low, ...band.high] : [])];
  const [least, most] = scale ? [scale.low, scale.high] : [Math.min(...all), Math.max(...all)];
  const spread = most - least || 1;
  const [from, to] = [positions[0] ?? 0, positions.at(-1) ?? 100];
  /** @param {number} value */
  const x = (value) => left + (value - from) / (to - from || 1) * (WIDTH - left - RIGHT);
  /** @param {number} value */
  const y = (value) => bottom - (value - least) / spread * (bottom - top);
  /** @param {number[]} values */
  const points = (values) => values.map((value, index) => `${x(positions[index] ?? 0).toFixed(1)},${y(value).toFixed(1)}`);
  const svg = drawing(height, `The score along ${along}, from ${fixed(scores[0] ?? NaN)} to ${fixed(scores.at(-1) ?? NaN)}`);
  for (const value of ticks(least, most, 4)) svg.append(s("line", { x1: left, x2: WIDTH - RIGHT, y1: y(value), y2: y(value), class: "grid" }), s("text", { x: left - 6, y: y(value) + 4, class: "end" }, short(value)));
  for (const value of ticks(from, to, 4)) svg.append(s("text", { x: x(value), y: bottom + 14, class: "middle" }, short(value)));
  svg.append(s("text", { x: (left + WIDTH - RIGHT) / 2, y: height - 4, class: "middle" }, along.length > 48 ? `${along.slice(0, 47)}…` : along));
  if (band) {
    svg.append(s("polygon", { points: [...points(band.high), ...points(band.low).reverse()].join(" "), class: "band" }), s("polyline", { points: points(band.mean).join(" "), class: "mean" }));
  }
  if (mark !== null) svg.append(s("line", { x1: x(mark), x2: x(mark), y1: top, y2: bottom, class: "zero" }));
  svg.append(s("polyline", { points: points(scores).join(" "), class: "score" }));
  return svg;
}

/** @param {number} value */
function short(value) {
  return String(Number(value.toPrecision(3))).replace("-", "\u2212");
}
