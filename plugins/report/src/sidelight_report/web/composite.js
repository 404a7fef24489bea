// @ts-check
/** The picture that was scored where only some patches of an image are visible: I M + I0 (1 - M). */

/** @typedef {import("./document.js").GraphEntry} GraphEntry */

/**
 * The pixels of an image with only some patches visible, exact to the rounding of a pixel; where it is not known what
 * hides the rest, that is transparent.
 * @param {ImageData} image I
 * @param {ImageData | null} baseline I0
 * @param {number[]} patches
 * @param {GraphEntry} graph
 * @returns {ImageData}
 */
export function composite(image, baseline, patches, { grid, soft }) {
  const { width, height } = image;
  const [rows, columns] = grid;
  const down = positions(rows, height, soft);
  const across = positions(columns, width, soft);
  const mask = Array.from({ length: rows * columns }, (_, patch) => (patches.includes(patch) ? 1 : 0));
  const shown = new ImageData(width, height);
  for (let y = 0; y < height; y++) {
    const [above, lower] = down[y] ?? [0, 0];
    const line = Array.from({ length: columns }, (_, column) => between(mask[above * columns + column], mask[(above + 1) * columns + column], lower));
    for (let x = 0; x < width; x++) {
      const [left, right] = across[x] ?? [0, 0];
      blend(shown.data, image.data, baseline?.data, 4 * (y * width + x), between(line[left], line[left + 1], right));
    }
  }
  return shown;
}

/** Linear interpolation; what lies outside the grid counts 0. @param {number | undefined} first @param {number | undefined} second @param {number} share */
function between(first, second, share) {
  return (1 - share) * (first ?? 0) + share * (second ?? 0);
}

/** One pixel. @param {Uint8ClampedArray} shown @param {Uint8ClampedArray} image @param {Uint8ClampedArray | undefined} baseline @param {number} at @param {number} alpha M */
function blend(shown, image, baseline, at, alpha) {
  for (let channel = at; channel < at + 3; channel++) {
    const seen = image[channel] ?? 0;
    shown[channel] = baseline ? alpha * seen + (1 - alpha) * (baseline[channel] ?? 0) : seen;
  }
  shown[at + 3] = baseline ? 255 : 255 * alpha;
}

/**
 * For each pixel along one axis its cell and the share of the next one: bilinear tents with aligned corners where
 * `soft`, else squares.
 * @param {number} cells
 * @param {number} size
 * @param {boolean} soft
 * @returns {[number, number][]}
 */
function positions(cells, size, soft) {
  return Array.from({ length: size }, (_, pixel) => {
    const position = soft ? (pixel * (cells - 1)) / Math.max(size - 1, 1) : ((pixel + 0.5) * cells) / size;
    const cell = Math.floor(position);
    return [cell, soft ? position - cell : 0];
  });
}
