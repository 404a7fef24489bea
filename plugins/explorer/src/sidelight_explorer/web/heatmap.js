// @ts-check
/** A heatmap over an image: teal speaks for the class, amber against it; maps without a sign go from clear to red. */

/** @typedef {import("./types.js").Heatmap} Heatmap */
/** @typedef {[number, number, number]} Rgb */

const FOR = /** @type {Rgb} */ ([0, 168, 150]);
const AGAINST = /** @type {Rgb} */ ([230, 126, 0]);
const MUCH = /** @type {Rgb} */ ([214, 40, 40]);

/** The values of a heatmap. @param {string} text float32 in base64 */
export function decode(text) {
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

/**
 * Paint it; colours are full from the 99th percentile of the magnitudes on.
 * @param {HTMLCanvasElement} canvas
 * @param {Heatmap} map
 */
export function paint(canvas, map) {
  [canvas.width, canvas.height] = [map.width, map.height];
  const values = decode(map.values);
  const sizes = Float32Array.from(values, Math.abs).sort();
  const full = sizes[Math.floor(0.99 * (sizes.length - 1))] || 1;
  const image = new ImageData(map.width, map.height);
  values.forEach((value, index) => {
    const colour = !map.signed ? MUCH : value < 0 ? AGAINST : FOR;
    const weight = Math.min(1, Math.abs(value) / full) ** 0.7;
    image.data.set([...colour, 255 * (map.signed || value > 0 ? weight : 0)], 4 * index);
  });
  canvas.getContext("2d")?.putImageData(image, 0, 0);
}
