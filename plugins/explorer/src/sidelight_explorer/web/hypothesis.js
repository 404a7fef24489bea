// @ts-check
/**
 * Statistics and verdict of a test, by the same rule as `hypothesis.py`: for n images whose score changes by x_i, of mean m
 * with the 95 % interval [low, high], and K random edits of equal size with mean changes c_k,
 *
 *   up: supported where low > least and (1 + #{k: |c_k| >= |m|}) / (1 + K) <= 0.05 for every kind of equal size,
 *       contradicted where high < least; down: with all signs changed
 *   none: supported where the interval lies within (-least, least), contradicted where it lies outside and the random edits do less
 */

/** @typedef {import("./types.js").Expected} Expected */
/** @typedef {import("./types.js").Control} Control */
/** @typedef {import("./types.js").Test} Test */
/** @typedef {{ mean: number, low: number, high: number }} Interval */
/** @typedef {{ size: "w" | "image", count: number, asLarge: number, largest: number }} Compared */
/** @typedef {{ verdict: "supported" | "contradicted" | "not established", reason: string }} Judged */
/** @typedef {Interval & Judged & { count: number, compared: Compared[] }} Outcome */

const NORMAL_QUANTILE = 1.959964; // of a two-sided 95 % interval
const FEWEST = 5; // images
export const LEVEL = 0.05; // of the rank among random edits: 19 of them are the fewest that can show anything
/** @type {Record<"w" | "image", string>} */
export const SIZES = { w: "in W", image: "in the image" };

/** The 97.5 % quantile of Student's t (Abramowitz and Stegun 1964, 26.7.5). @param {number} n degrees of freedom */
export function studentQuantile(n) {
  const z = NORMAL_QUANTILE;
  return z + (z ** 3 + z) / (4 * n) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * n ** 2)
    + (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * n ** 3)
    + (79 * z ** 9 + 776 * z ** 7 + 1482 * z ** 5 - 1920 * z ** 3 - 945 * z) / (92160 * n ** 4);
}

/** Mean and its 95 % interval by Student's t; NaN for the interval of a single value. @param {number[]} values @returns {Interval} */
export function meanInterval(values) {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count < 2) return { mean, low: NaN, high: NaN };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  const half = studentQuantile(count - 1) * Math.sqrt(variance) / Math.sqrt(count);
  return { mean, low: mean - half, high: mean + half };
}

/** Number that turned, and the 95 % interval of the share (Wilson 1927). @param {boolean[]} turned */
export function turnedInterval(turned) {
  const [hits, count] = [turned.filter(Boolean).length, turned.length];
  if (!count) return { hits, low: 0, high: 1 };
  const [p, spread] = [hits / count, NORMAL_QUANTILE ** 2 / count];
  const middle = (p + spread / 2) / (1 + spread);
  const half = NORMAL_QUANTILE / (1 + spread) * Math.sqrt(p * (1 - p) / count + spread / (4 * count));
  return { hits, low: hits > 0 ? middle - half : 0, high: hits < count ? middle + half : 1 };
}

/** Changes of the score. @param {{ before: number[], after: number[] }} scores */
export function changesOf({ before, after }) {
  return after.map((value, index) => value - (before[index] ?? NaN));
}

/**
 * The verdict of the rule.
 * @param {{ before: number[], after: number[], controls: Control[] }} measured
 * @param {Expected} expected
 * @param {number} least smallest change that matters
 * @returns {Outcome}
 */
export function outcomeOf(measured, expected, least) {
  const changes = changesOf(measured);
  const interval = meanInterval(changes);
  const sizes = /** @type {("w" | "image")[]} */ (Object.keys(SIZES));
  const compared = sizes.flatMap((size) => {
    const others = measured.controls.filter((one) => one.size === size).map(({ change }) => Math.abs(change));
    return others.length ? [{ size, count: others.length, asLarge: others.filter((change) => change >= Math.abs(interval.mean)).length, largest: Math.max(...others) }] : [];
  });
  return { ...interval, count: changes.length, compared, ...rule(changes.length, interval, compared, expected, least) };
}

/**
 * @param {number} count
 * @param {Interval} interval
 * @param {Compared[]} compared
 * @param {Expected} expected
 * @param {number} least
 * @returns {Judged}
 */
function rule(count, { mean, low, high }, compared, expected, least) {
  const both = /** @type {Judged} */ ({ verdict: "not established", reason: `the interval holds changes below and above ${shortest(least)}` });
  if (count < FEWEST) return { verdict: "not established", reason: `fewer than ${FEWEST} images say nothing` };
  if (expected === "none") {
    if (-least < low && high < least) return { verdict: "supported", reason: `the score changes by less than ${shortest(least)}` };
    if (low <= least && high >= -least) return both;
    return againstRandom(compared, { verdict: "contradicted", reason: `the score ${mean > 0 ? "rises" : "falls"} by more than ${shortest(least)}` });
  }
  const [verb, opposite, bare] = expected === "up" ? ["rises", "falls", "rise"] : ["falls", "rises", "fall"];
  const [from, to] = expected === "up" ? [low, high] : [-high, -low];
  if (to < -least) return { verdict: "contradicted", reason: `the score ${opposite} instead` };
  if (to < least) return { verdict: "contradicted", reason: `the score does not ${bare} by ${shortest(least)}` };
  if (from > least) return againstRandom(compared, { verdict: "supported", reason: `the score ${verb} by more than ${shortest(least)}` });
  return both;
}

/** What was found, if the edit does more than random edits of equal size. @param {Compared[]} compared @param {Judged} judged @returns {Judged} */
function againstRandom(compared, { verdict, reason }) {
  if (!compared.length || compared.some(({ count }) => count < 1 / LEVEL - 1)) {
    return { verdict: "not established", reason: `${reason}, but fewer than ${Math.round(1 / LEVEL) - 1} random edits stand beside it` };
  }
  if (compared.some(({ count, asLarge }) => (1 + asLarge) / (1 + count) > LEVEL)) {
    return { verdict: "not established", reason: `${reason}, but random edits of equal size do as much` };
  }
  return { verdict, reason: `${reason}, and by more than with random edits of equal size` };
}

/** The verdict with its numbers, in two sentences. @param {Outcome} outcome */
export function sentence(outcome) {
  const against = outcome.compared.map(({ size, count, asLarge, largest }) => `; ${asLarge} of ${count} random edits as large ${SIZES[size]} change it as much (largest ${fixed(largest)})`);
  const numbers = `mean change ${signed(outcome.mean)} (95 % interval ${signed(outcome.low)} to ${signed(outcome.high)})`;
  return `${capital(outcome.verdict)}: ${outcome.reason}. ${outcome.count} images, ${numbers}${against.join("")}.`;
}

/**
 * The changes of each named group, in order of the names.
 * @param {{ before: number[], after: number[], turned: boolean[], groups: (string | null)[] }} measured
 */
export function byGroup(measured) {
  const changes = changesOf(measured);
  const names = [...new Set(measured.groups)].filter((name) => name !== null).sort();
  return names.map((name) => {
    const rows = measured.groups.flatMap((group, index) => (group === name ? [index] : []));
    return { name, count: rows.length, ...meanInterval(rows.map((row) => changes[row] ?? NaN)), turned: rows.filter((row) => measured.turned[row]).length };
  });
}

/** The verdict that a test proposes. @param {Test} test @returns {import("./types.js").Verdict} */
export function proposed(test) {
  const { verdict } = outcomeOf(test.measured, test.expected, test.least);
  return verdict === "supported" ? "verified" : verdict === "contradicted" ? "falsified" : "open";
}

/** Two digits behind the point, three below 0.1, with a true minus sign. @param {number} value */
export function fixed(value) {
  if (!Number.isFinite(value)) return "–";
  const text = Math.abs(value) >= 0.095 || value === 0 ? value.toFixed(2) : value.toFixed(3);
  return text.replace("-", Number(text) === 0 ? "" : "\u2212");
}

/** Six significant digits without zeros at the end: a number that somebody chose, and that a rule compares with. @param {number} value */
export function shortest(value) {
  if (!Number.isFinite(value)) return fixed(value);
  const magnitude = value ? Math.floor(Math.log10(Math.abs(value))) : 0;
  const text = value.toFixed(Math.min(12, Math.max(0, 5 - magnitude)));
  return (text.includes(".") ? text.replace(/\.?0+$/, "") : text).replace("-", "\u2212");
}

/** Like `fixed`, with a plus sign. @param {number} value */
export function signed(value) {
  const text = fixed(value);
  return value > 0 && Number(text) !== 0 ? `+${text}` : text;
}

/** @param {string} text */
function capital(text) {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
