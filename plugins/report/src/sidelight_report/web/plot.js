// @ts-check
import { h, svg } from "./elements.js";
import { tick } from "./numbers.js";

/**
 * @typedef {object} PlotLine
 * @property {string} name
 * @property {string} style a class of the style sheet: a part of the question, or `series-0` to `series-7`
 * @property {(number | null)[]} x
 * @property {(number | null)[]} y
 */

/**
 * @typedef {object} PlotOptions
 * @property {PlotLine[]} lines
 * @property {string} label what a screen reader says
 * @property {[number, number]} [xRange]
 * @property {[number, number]} [yRange]
 * @property {number} [inset] share of the width left free on either side
 * @property {string} [xTitle]
 * @property {(value: number) => string} [yText]
 * @property {{ at: number, text: string }[]} [xTicks] the two ends where none are given
 * @property {boolean} [xLabels]
 */

/**
 * A line plot that is as wide as its place. Lines differ in colour and in dashes.
 * @param {PlotOptions} options
 * @returns {HTMLElement}
 */
export function plot({ lines, label, xRange, yRange, inset = 0, xTitle = "", yText = tick, xTicks, xLabels = true }) {
  const [left, right] = xRange ?? range(lines.flatMap((line) => line.x));
  const [low, high] = yRange ?? range(lines.flatMap((line) => line.y));
  const at = (/** @type {number} */ x) => 1000 * (inset + (1 - 2 * inset) * ((x - left) / (right - left || 1)));
  const up = (/** @type {number} */ y) => 100 - (100 * (y - low)) / (high - low || 1);
  const area = svg("svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none", role: "img", "aria-label": label },
    ...[0, 50, 100].map((y) => svg("line", { class: "rule", x1: 0, x2: 1000, y1: y, y2: y })),
    ...lines.map((line) => svg("polyline", { class: `line ${line.style}`, points: points(line, at, up) })));
  const ticks = [high, (low + high) / 2, low].map((y) => h("span", {}, yText(y)));
  return h("div", { class: "plot" }, h("div", { class: "y-axis", "aria-hidden": "true" }, ...ticks), h("div", { class: "area" }, area),
    xLabels && xAxis(xTicks ?? [left, right].map((x) => ({ at: x, text: tick(x) })), at, xTitle));
}

/**
 * @param {{ at: number, text: string }[]} ticks
 * @param {(x: number) => number} at
 * @param {string} title
 */
function xAxis(ticks, at, title) {
  const labels = ticks.map(({ at: x, text }) => {
    const label = h("span", { class: "tick" }, text);
    label.style.left = `${at(x) / 10}%`;
    label.style.transform = `translateX(${-at(x) / 10}%)`;
    return label;
  });
  return h("div", { class: "x-axis", "aria-hidden": "true" }, ...labels, h("span", { class: ticks.length > 2 ? "title" : "title between" }, title));
}

/**
 * @param {PlotLine} line
 * @param {(x: number) => number} at
 * @param {(y: number) => number} up
 */
function points(line, at, up) {
  const result = [];
  for (const [i, x] of line.x.entries()) {
    const y = line.y[i];
    if (x !== null && y !== null && y !== undefined) result.push(`${at(x).toFixed(1)},${up(y).toFixed(2)}`);
  }
  return result.join(" ");
}

/** @param {(number | null)[]} values @returns {[number, number]} */
function range(values) {
  const known = values.filter((value) => value !== null);
  return known.length ? [Math.min(...known), Math.max(...known)] : [0, 1];
}

/**
 * The names of the lines of a plot.
 * @param {{ name: string, style: string }[]} lines
 */
export function legend(lines) {
  return h("ul", { class: "legend" }, ...lines.map(({ name, style }) =>
    h("li", {}, svg("svg", { viewBox: "0 0 24 8", class: "key", "aria-hidden": "true" }, svg("line", { class: `line ${style}`, x1: 0, x2: 24, y1: 4, y2: 4 })), name)));
}
