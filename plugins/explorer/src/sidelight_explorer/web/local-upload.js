// @ts-check
/**
 * An image file as the generator's image, as `uploads.py` does it: turned upright, cut to the proportions from the middle,
 * resized by Lanczos' filter, first along rows, then along columns, rounded to whole levels after each.
 */

const MOST_PIXELS = 40_000_000; // a camera's photo has fewer
const REACH = 3; // lobes of the filter
const STARTS = /** @type {[string, number[]][]} */ ([["PNG", [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]], ["JPEG", [0xff, 0xd8, 0xff]], ["WebP", [0x52, 0x49, 0x46, 0x46]]]);

/**
 * @param {Blob} file a PNG, JPEG or WebP
 * @param {[number, number, number]} shape channels, height, width
 * @returns {Promise<Float32Array>} (C, H, W) in [0, 1]
 */
export async function readUpload(file, [channels, height, width]) {
  const head = new Uint8Array(await file.slice(0, 12).arrayBuffer());
  if (!STARTS.some(([, start]) => start.every((byte, index) => head[index] === byte))) throw new Error("this is no PNG, JPEG or WebP image");
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" }).catch(() => {
    throw new Error("the image cannot be read");
  });
  if (bitmap.width * bitmap.height > MOST_PIXELS) throw new Error(`the image has more than ${MOST_PIXELS.toLocaleString("en")} pixels`);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("the image cannot be read");
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  return fitted(planes(data, channels), bitmap.width, bitmap.height, width, height);
}

/** Pixels as planes, grey by the weights of ITU-R 601. @param {Uint8ClampedArray} data RGBA @param {number} channels @returns {Uint8ClampedArray[]} */
export function planes(data, channels) {
  const count = data.length / 4;
  const result = Array.from({ length: channels }, () => new Uint8ClampedArray(count));
  for (let index = 0; index < count; index++) {
    const [red, green, blue] = [data[4 * index] ?? 0, data[4 * index + 1] ?? 0, data[4 * index + 2] ?? 0];
    if (channels === 1) /** @type {any} */ (result[0])[index] = (red * 19595 + green * 38470 + blue * 7471 + 32768) >> 16;
    else for (let channel = 0; channel < channels; channel++) /** @type {any} */ (result[channel])[index] = [red, green, blue][channel % 3];
  }
  return result;
}

/**
 * @param {Uint8ClampedArray[]} images planes of one image
 * @param {number} w @param {number} h its size
 * @param {number} width @param {number} height of the result
 */
export function fitted(images, w, h, width, height) {
  const ratio = width / height;
  const [wide, high] = w / h === ratio ? [w, h] : w / h >= ratio ? [ratio * h, h] : [w, w / ratio];
  const [left, top] = [(w - wide) / 2, (h - high) / 2];
  const [across, down] = [weights(w, left, left + wide, width), weights(h, top, top + high, height)];
  const result = new Float32Array(images.length * height * width);
  images.forEach((plane, channel) => {
    const rows = across ? filtered(plane, across, h, w, width, 1) : plane;
    const both = down ? filtered(rows, down, width, h, height, width) : rows;
    for (let index = 0; index < both.length; index++) result[channel * height * width + index] = /** @type {number} */ (both[index]) / 255;
  });
  return result;
}

/** @typedef {{ first: number, values: number[] }[]} Weights */

/** What each place of the result takes; none where nothing changes. @param {number} size @param {number} from @param {number} to @param {number} count @returns {Weights | null} */
function weights(size, from, to, count) {
  if (from === 0 && to === size && count === size) return null;
  const scale = (to - from) / count;
  const wide = Math.max(1, scale); // the filter is as wide as the pixels of the result
  return Array.from({ length: count }, (_, place) => {
    const centre = from + (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - REACH * wide + 0.5));
    const last = Math.min(size, Math.trunc(centre + REACH * wide + 0.5));
    const values = Array.from({ length: last - first }, (_, index) => lanczos((index + first - centre + 0.5) / wide));
    const total = values.reduce((a, b) => a + b, 0);
    return { first, values: values.map((value) => value / total) };
  });
}

/** @param {number} x */
function lanczos(x) {
  const sinc = (/** @type {number} */ y) => (y === 0 ? 1 : Math.sin(Math.PI * y) / (Math.PI * y));
  return Math.abs(x) < REACH ? sinc(x) * sinc(x / REACH) : 0;
}

/**
 * A plane filtered along one axis: along rows with step 1, along columns with the width as the step.
 * @param {Uint8ClampedArray} plane @param {Weights} taken @param {number} lines @param {number} size @param {number} count @param {number} step
 */
function filtered(plane, taken, lines, size, count, step) {
  const result = new Uint8ClampedArray(lines * count);
  for (let line = 0; line < lines; line++) {
    taken.forEach(({ first, values }, place) => {
      let sum = 0;
      for (let index = 0; index < values.length; index++) {
        sum += /** @type {number} */ (values[index]) * /** @type {number} */ (plane[step === 1 ? line * size + first + index : (first + index) * step + line]);
      }
      result[step === 1 ? line * count + place : place * step + line] = Math.floor(sum + 0.5);
    });
  }
  return result;
}
