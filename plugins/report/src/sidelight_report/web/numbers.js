// @ts-check
/** Numbers as people read them. */

/**
 * Some significant digits, with a true minus sign; counts from 10 on as they are.
 * @param {number | null | undefined} value
 * @param {number} [digits]
 */
export function format(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size === 0) return "0";
  const text = size >= 1000 ? Math.round(size).toLocaleString("en").replaceAll(",", "\u202f")
    : size >= 99.95 || (size >= 10 && Number.isInteger(size)) ? size.toFixed(0)
    : size >= 0.001 ? size.toPrecision(digits)
    : size.toExponential(1).replace("e-", "e−");
  return value < 0 ? `−${text}` : text;
}

/**
 * The same with a plus sign on positive numbers.
 * @param {number | null | undefined} value
 * @param {number} [digits]
 */
export function signed(value, digits = 3) {
  return (value ?? 0) > 0 ? `+${format(value, digits)}` : format(value, digits);
}

/** Direction of improvement, as a sign. */
export const ARROWS = { higher: "↑", lower: "↓", neither: "" };

/**
 * The number of one image; a share of images is a yes or a no for each.
 * @param {import("./document.js").Measure} measure
 */
export function ofImage({ value, unit }) {
  if (unit === "share of images" && (value === 0 || value === 1)) return value ? "yes" : "no";
  return format(value);
}

/**
 * The same without zeros at the end, for axes.
 * @param {number} value
 */
export function tick(value) {
  return format(value).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}

/**
 * A probability as a percentage; never 0 % or 100 % for what is neither.
 * @param {number | null | undefined} value in [0, 1]
 */
export function percent(value) {
  if (value === null || value === undefined) return "–";
  const text = value >= 0.995 && value < 0.9995 ? (100 * value).toFixed(1) : (100 * value).toFixed(value < 0.01 ? 1 : 0);
  if (value > 0 && value < 0.0005) return "<0.1 %";
  if (value < 1 && value >= 0.9995) return ">99.9 %";
  return `${text.replace(/^0\.0$/, "0").replace(/^100\.0$/, "100")} %`;
}
