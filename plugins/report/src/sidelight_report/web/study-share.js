// @ts-check
/** Shares of right answers as cells of a table. */
import { h } from "./elements.js";
import { percent } from "./numbers.js";
import { interval } from "./study-score.js";

/** @typedef {import("./study-score.js").Share} Share */

/** @param {Share | undefined} result */
export function share(result) {
  return result?.of ? `${result.right} of ${result.of}` : "–";
}

/** An accuracy with its interval. @param {Share | undefined} result */
export function whiskers(result) {
  if (!result?.of) return "–";
  const [low, high] = interval(result);
  const line = h("i", { class: "interval" });
  line.style.left = `${100 * low}%`;
  line.style.width = `${100 * (high - low)}%`;
  const point = h("i", { class: "point" });
  point.style.left = `${(100 * result.right) / result.of}%`;
  return h("span", { class: "accuracy" }, h("b", {}, percent(result.right / result.of)), h("small", {}, ` ${percent(low)} to ${percent(high)}, ${share(result)}`),
    h("span", { class: "whiskers", "aria-hidden": "true" }, h("i", { class: "chance" }), line, point));
}

/** Mean and standard deviation between people. @param {{ people: number, mean: number, deviation: number }} spread */
export function deviation({ people, mean, deviation: spread }) {
  return people > 1 ? `${mean.toFixed(3)} ± ${spread.toFixed(3)} (${people} people)` : "–";
}
