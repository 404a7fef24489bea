// @ts-check
/** An edit measured on many images, with random edits of equal size: `measuring.py` in the page, batch for batch. */
import { Models } from "./local-models.js";
import { plain } from "./spec.js";

/** @typedef {import("./types.js").Measure} Measure */
/** @typedef {import("./types.js").Measured} Measured */
/** @typedef {import("./types.js").Spec} Spec */
/** @typedef {ReturnType<Models["edit"]>} Edit */
/** @typedef {{ image: Float32Array, value: number, answer: number }} Scored */

const TOLERANCE = 0.1; // of the image distance of a random edit, relative
const TRIES = 5;
const FARTHEST = 3; // times the difference of two draws
const FIRST = 0.3;

/** The images of the gallery or random draws with an edit. @param {Spec} spec @param {import("./types.js").Edit} edit @returns {Spec} */
export function edited(spec, edit) {
  const layers = spec.layers.map((mix, layer) => {
    const other = edit.layers[layer];
    return /** @type {import("./types.js").Mix} */ (other ? [other[0] ?? mix[0], other[1] ?? mix[0], other[2]] : mix);
  });
  return { layers, moves: Object.fromEntries(Object.entries({ ...spec.moves, ...edit.moves }).filter(([, amount]) => amount)) };
}

/**
 * @param {Models} models
 * @param {Measure} wish
 * @param {(doing: string, done: number, total: number) => Promise<void>} step lets edits in; raises to stop
 * @returns {Promise<Measured>}
 */
export async function measure(models, wish, step) {
  const { classifier, target, seed } = wish;
  const task = models.content.classifiers.find(({ id }) => id === classifier)?.task;
  const classes = models.classes[classifier];
  if (!task || !classes) throw new Error("test.classifier: it is not on this page");
  if (wish.on === "data") throw new Error("images of the data need the server: open this with `sidelight serve`");
  if (wish.factors) throw new Error("the data's true factors need the server: open this with `sidelight serve`");
  if (wish.on === "gallery" && !wish.images?.length) throw new Error("test.images: the gallery is empty");
  const specs = wish.on === "gallery" ? wish.images ?? [] : Array.from({ length: wish.count }, (_, index) => plain(`draw-${seed}-${index}-100`, models.layers));
  const pairs = specs.map((spec) => /** @type {[Edit, Edit]} */ ([models.edit(spec), models.edit(edited(spec, wish.edit))]));
  if (pairs.every(([before, after]) => sameEdit(before, after))) throw new Error("test.edit: it changes none of the images");
  const directions = Array.from({ length: wish.controls }, (_, number) => {
    const [first, second] = [0, 1].map((part) => models.latents(`draw-${seed}-${models.content.draws.from + 2 * number + part}-100`));
    return /** @type {Float32Array} */ (first).map((value, index) => value - /** @type {any} */ (second)[index]);
  });
  const units = directions.map((direction) => scaled(direction, models.layers, lengths(direction, models.layers).map((length) => 1 / Math.max(length, 1e-12))));
  const shifts = pairs.map(([before, after]) => lengths(after.w.map((value, index) => value - /** @type {any} */ (before.w)[index]), models.layers));
  const sizes = /** @type {("w" | "image")[]} */ (shifts.some((row) => row.some(Boolean)) ? ["w", "image"] : ["image"]);
  const total = pairs.length * (2 + sizes.length * directions.length);
  let done = 0;

  /** @param {Edit} edit @param {boolean} [counts] @returns {Promise<Scored>} */
  const scored = async (edit, counts = true) => {
    await step("measuring", done, total);
    done += counts ? 1 : 0;
    const image = models.image(edit);
    const values = Models.displayed(models.scores(classifier, image), task);
    const answer = task === "regression" ? -1 : values.reduce((best, value, row) => (value > /** @type {number} */ (values[best]) ? row : best), 0);
    return { image, value: values[target] ?? 0, answer };
  };
  /** @param {Edit[]} edits @param {boolean} [counts] */
  const all = async (edits, counts) => {
    const results = [];
    for (const edit of edits) results.push(await scored(edit, counts));
    return results;
  };

  const sums = directions.flatMap((_, number) => sizes.map((size) => ({ size, number, change: 0, turned: 0, moved: 0 })));
  /** @type {{ before: Scored, after: Scored, distance: number }[]} */
  const rows = [];
  /** The s by which each direction changes an image by 1, as far as it is known. @type {number[]} */
  const gains = directions.map(() => NaN);
  const mean = (/** @type {number[]} */ values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  for (let start = 0; start < pairs.length; start += models.content.batch) {
    const batch = pairs.slice(start, start + models.content.batch);
    const bases = batch.map(([before]) => before);
    const first = await all(bases);
    const second = await all(batch.map(([, after]) => after));
    const distances = first.map(({ image }, index) => distance(image, /** @type {any} */ (second)[index].image));
    first.forEach((before, index) => rows.push({ before: { ...before, image: NOTHING }, after: { .../** @type {any} */ (second)[index], image: NOTHING }, distance: /** @type {number} */ (distances[index]) }));
    for (const one of sums) {
      /** @type {{ value: number, answer: number, reached: number }[]} */
      let found;
      if (one.size === "w") {
        const moved = bases.map((base, index) => shifted(base, scaled(/** @type {Float32Array} */ (units[one.number]), models.layers, /** @type {number[]} */ (shifts[start + index])), 1));
        found = (await all(moved)).map(({ value, answer, image }, index) => ({ value, answer, reached: distance(/** @type {any} */ (first)[index].image, image) }));
        const size = Math.max(mean(lengths(/** @type {Float32Array} */ (directions[one.number]), models.layers)), 1e-12);
        gains[one.number] = gainOf(shifts.slice(start, start + batch.length).map((row) => mean(row) / size), found, /** @type {number} */ (gains[one.number]));
      } else {
        const gain = /** @type {number} */ (gains[one.number]);
        const guess = distances.map((length) => (Number.isNaN(gain) ? FIRST : gain * length));
        const far = await withDistances(all, bases, first, distances, /** @type {Float32Array} */ (directions[one.number]), guess);
        found = far.found;
        gains[one.number] = gainOf(far.steps, found, gain);
      }
      found.forEach(({ value, answer, reached }, index) => {
        const before = /** @type {Scored} */ (first[index]);
        one.change += value - before.value;
        one.turned += Number(answer !== before.answer);
        one.moved += reached;
      });
    }
  }
  const count = pairs.length;
  return {
    names: specs.map(({ layers }) => layers[0]?.[0] ?? ""),
    before: rows.map(({ before }) => rounded(before.value)), after: rows.map(({ after }) => rounded(after.value)),
    turned: task === "regression" ? [] : rows.map(({ before, after }) => before.answer !== after.answer),
    groups: rows.map(({ before }) => (before.answer < 0 ? null : classes[before.answer] ?? null)), grouped: "answer",
    moved: { w: rounded(mean(shifts.map((row) => Math.hypot(...row)))), image: rounded(mean(rows.map((row) => row.distance))) },
    controls: sums.map(({ size, change, turned, moved }) => ({ size, change: rounded(change / count), turned: rounded(turned / count), moved: rounded(moved / count) })),
  };
}

const NOTHING = new Float32Array();

/** Median of s over the change of the image; what was known before, where no image changed. @param {number[]} steps @param {{ reached: number }[]} found @param {number} before */
function gainOf(steps, found, before) {
  const ratios = steps.flatMap((step, index) => (/** @type {any} */ (found)[index].reached > 0 ? [step / /** @type {any} */ (found)[index].reached] : [])).sort((a, b) => a - b);
  if (!ratios.length) return before;
  return (/** @type {number} */ (ratios[Math.floor((ratios.length - 1) / 2)]) + /** @type {number} */ (ratios[Math.ceil((ratios.length - 1) / 2)])) / 2;
}

/**
 * The edits w + s u that change the images by as much as `distances`, and s, from a guess of it.
 * @param {(edits: Edit[], counts: boolean) => Promise<Scored[]>} all @param {Edit[]} bases @param {Scored[]} first
 * @param {number[]} distances @param {Float32Array} direction @param {number[]} guess
 */
async function withDistances(all, bases, first, distances, direction, guess) {
  const steps = distances.map((length, index) => (length > 0 ? Math.min(FARTHEST, Math.max(1e-6, /** @type {number} */ (guess[index]))) : 0));
  const found = bases.map(() => ({ value: 0, answer: 0, reached: 0 }));
  let left = bases.map((_, index) => index);
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const drawn = await all(left.map((row) => shifted(/** @type {Edit} */ (bases[row]), direction, /** @type {number} */ (steps[row]))), attempt === 0);
    /** @type {Map<number, number>} */
    const off = new Map();
    left.forEach((row, index) => {
      const { value, answer, image } = /** @type {Scored} */ (drawn[index]);
      const reached = distance(/** @type {Scored} */ (first[row]).image, image);
      found[row] = { value, answer, reached };
      // the change of the image grows about in proportion to the shift
      const ratio = reached > 0 ? /** @type {number} */ (distances[row]) / reached : 1;
      const step = /** @type {number} */ (steps[row]);
      const wanted = Math.min(step * Math.min(4, Math.max(0.25, ratio)), FARTHEST);
      if (Math.abs(ratio - 1) > TOLERANCE && Math.abs(wanted - step) > 1e-6) off.set(row, wanted);
    });
    if (attempt === TRIES - 1 || !off.size) break;
    for (const [row, wanted] of off) steps[row] = wanted;
    left = [...off.keys()];
  }
  return { found, steps };
}

/** @param {Edit} edit @param {Float32Array} direction @param {number} step @returns {Edit} */
function shifted(edit, direction, step) {
  return { ...edit, w: edit.w.map((value, index) => value + step * /** @type {number} */ (direction[index])) };
}

/** Length in each layer. @param {Float32Array} v @param {number} layers */
function lengths(v, layers) {
  const size = v.length / layers;
  return Array.from({ length: layers }, (_, layer) => Math.sqrt(v.subarray(layer * size, (layer + 1) * size).reduce((sum, value) => sum + value * value, 0)));
}

/** Each layer by its factor. @param {Float32Array} v @param {number} layers @param {number[]} factors */
function scaled(v, layers, factors) {
  const size = v.length / layers;
  return v.map((value, index) => value * /** @type {number} */ (factors[Math.floor(index / size)]));
}

/** Root mean square difference. @param {Float32Array} a @param {Float32Array} b */
function distance(a, b) {
  return Math.sqrt(a.reduce((sum, value, index) => sum + (value - /** @type {number} */ (b[index])) ** 2, 0) / a.length);
}

/** @param {Edit} a @param {Edit} b */
function sameEdit(a, b) {
  /** @param {Edit} edit */
  const moves = ({ coordinates }) => JSON.stringify(coordinates.map(({ slider, factor }) => [slider.id, factor]));
  return a.w.every((value, index) => value === b.w[index]) && moves(a) === moves(b);
}

/** @param {number} value */
function rounded(value) {
  return Math.round(1e5 * value) / 1e5;
}
