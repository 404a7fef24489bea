// @ts-check
/** Colours of overlays. All pairs are told apart with any of the common colour-vision deficiencies. */

/** @typedef {readonly [number, number, number]} Rgb */

/** The paper's colours of a difference (CDeepEx, figure 2): red is added, blue is removed. @type {Rgb} */
export const ADD = [226, 48, 42];
/** @type {Rgb} */
export const REMOVE = [36, 97, 232];

/** The two sides of the question, in pictures and in bars. @type {Rgb} */
export const PREDICTED = [13, 166, 151];
/** @type {Rgb} */
export const PROBE = [244, 151, 12];

/** Viridis at nine even steps: equal steps of value look like equal steps of colour. @type {readonly Rgb[]} */
const SEQUENCE = [
  [68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99],
  [170, 220, 50], [253, 231, 37],
];

/**
 * Where on a colour ramp a value lies.
 * @typedef {(value: number) => { colour: Rgb, weight: number }} Ramp
 */

/**
 * A diverging ramp: nothing at zero, one colour for each sign, saturated at `saturation`.
 * @param {Rgb} positive
 * @param {Rgb} negative
 * @param {number} saturation
 * @returns {Ramp}
 */
export function diverging(positive, negative, saturation) {
  return (value) => ({ colour: value < 0 ? negative : positive, weight: share(Math.abs(value), saturation) ** 0.6 });
}

/**
 * A sequential ramp for values that only rank: dark is little, bright is much.
 * @param {number} saturation
 * @returns {Ramp}
 */
export function sequential(saturation) {
  return (value) => {
    const t = share(value, saturation);
    return { colour: along(t), weight: Math.min(1, 0.12 + 1.8 * t) };
  };
}

/** @param {number} value @param {number} saturation */
function share(value, saturation) {
  return saturation > 0 && value > 0 ? Math.min(1, value / saturation) : 0;
}

/** @param {number} t @returns {Rgb} */
function along(t) {
  const position = t * (SEQUENCE.length - 1);
  const low = SEQUENCE[Math.floor(position)] ?? PREDICTED;
  const high = SEQUENCE[Math.ceil(position)] ?? low;
  const fraction = position - Math.floor(position);
  return [mix(low[0], high[0], fraction), mix(low[1], high[1], fraction), mix(low[2], high[2], fraction)];
}

/** @param {number} a @param {number} b @param {number} t */
function mix(a, b, t) {
  return a + (b - a) * t;
}

/**
 * Paint values over an image. With growing opacity the image fades to a faint grey, so that the colours carry the values.
 * @param {ImageData} target overwritten
 * @param {ImageData | null} base the image; none for a legend
 * @param {ArrayLike<number>} values one for each pixel; NaN leaves the pixel as it is
 * @param {Ramp} ramp
 * @param {number} opacity in [0, 1]
 */
export function paint(target, base, values, ramp, opacity) {
  for (let i = 0; i < values.length; i++) {
    const at = 4 * i;
    const value = values[i] ?? NaN;
    const { colour, weight } = Number.isNaN(value) ? { colour: PREDICTED, weight: 0 } : ramp(value);
    const grey = base ? faint(base.data, at) : 118;
    for (let c = 0; c < 3; c++) {
      const below = mix(base ? base.data[at + c] ?? 0 : grey, grey, opacity);
      target.data[at + c] = mix(below, colour[c] ?? 0, opacity * weight);
    }
    target.data[at + 3] = 255;
  }
}

/** @param {Uint8ClampedArray} data @param {number} at */
function faint(data, at) {
  const luma = 0.299 * (data[at] ?? 0) + 0.587 * (data[at + 1] ?? 0) + 0.114 * (data[at + 2] ?? 0);
  return 38 + 0.52 * luma;
}
