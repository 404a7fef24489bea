// @ts-check
/** Decoding the arrays of the document. */

/** @typedef {import("./document.js").Grid} Grid */

/**
 * The numbers of a grid, row by row; NaN where one is missing.
 * @param {Grid} grid
 * @returns {Float32Array}
 */
export function decode(grid) {
  const text = atob(grid.data);
  const view = new DataView(new ArrayBuffer(text.length));
  for (let i = 0; i < text.length; i++) view.setUint8(i, text.charCodeAt(i));
  const values = new Float32Array(text.length / 2);
  for (let i = 0; i < values.length; i++) {
    const code = view.getInt16(2 * i, true);
    values[i] = code === -32768 ? NaN : (code / 32767) * grid.largest;
  }
  return values;
}

/** @type {Map<string, Promise<ImageData>>} */
const known = new Map();

/**
 * The pixels of an image; each image is decoded once.
 * @param {import("./document.js").Picture} picture
 * @returns {Promise<ImageData>}
 */
export function pixels(picture) {
  const result = known.get(picture.src) ?? read(picture);
  known.set(picture.src, result);
  return result;
}

/** @param {import("./document.js").Picture} picture */
async function read(picture) {
  const image = new Image();
  image.src = picture.src;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = picture.width;
  canvas.height = picture.height;
  const context = context2d(canvas);
  context.drawImage(image, 0, 0, picture.width, picture.height); // a large picture has fewer pixels of its own
  return context.getImageData(0, 0, picture.width, picture.height);
}

/**
 * A canvas's 2D context.
 * @param {HTMLCanvasElement} canvas
 */
export function context2d(canvas) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("this browser draws no canvas");
  return context;
}
