// @ts-check
/** The worker of a page from disk: computes what the page asks for, edits before everything else. */
import { Models, told } from "./local-models.js";
import { measure } from "./local-measure.js";
import { readUpload } from "./local-upload.js";
import { plain } from "./spec.js";

/** @typedef {import("./types.js").Spec} Spec */
/** @typedef {import("./types.js").Picture} Picture */

const scope = /** @type {any} */ (globalThis);
/** @type {(models: Models) => void} */
let begin = () => {};
/** @type {Promise<Models>} */
const ready = new Promise((resolve) => { begin = resolve; });
/** Ids of calls under way, and of those that were given up. @type {[Set<number>, Set<number>]} */
const [running, cancelled] = [new Set(), new Set()];

/** Lets messages in, so that an edit is drawn between two steps of long work. */
const pause = () => new Promise((resolve) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => resolve(undefined);
  port2.postMessage(0);
});

/** @typedef {{ id: number, step: (doing: string, done: number, total: number) => Promise<void> }} Work */

/** @type {Record<string, (models: Models, work: Work, args: any) => Promise<unknown>>} */
const CALLS = {
  async draw(models, work, { specs, edit, ask, side }) {
    /** @type {(Picture | null)[]} */
    const pictures = [];
    for (const spec of /** @type {Spec[]} */ (specs)) {
      if (!edit) await work.step("", 0, 0);
      pictures.push(await picture(models, spec, ask, side));
    }
    return pictures;
  },
  async reach(models, work, { classifier, target, high, seed, count, pool, percent }) {
    const ids = Array.from({ length: Math.min(pool, models.content.draws.count) }, (_, index) => `draw-${seed}-${index}-${percent}`);
    /** @type {[string, number][]} */
    const scored = [];
    for (const id of ids) {
      await work.step("drawing", scored.length, ids.length);
      scored.push([id, models.show(plain(id, models.layers)).values[classifier]?.[target] ?? 0]);
    }
    scored.sort(([, a], [, b]) => (high ? b - a : a - b));
    return scored.slice(0, count).map(([id]) => id);
  },
  fitted: async (models, _, { file }) => Array.from(await readUpload(file, models.content.image)),
  async upload(models, work, { file }) {
    await work.step("reading", 0, 2);
    const image = await readUpload(file, models.content.image);
    await work.step("inverting", 1, 2);
    return models.invert(image);
  },
  measure: (models, work, { wish }) => measure(models, wish, work.step),
  async curve(models, work, { specs, classifier, target }) {
    /** @type {number[][]} */
    const scores = [];
    for (const row of /** @type {Spec[][]} */ (specs)) {
      const line = [];
      for (const spec of row) {
        await work.step("", 0, 0);
        line.push(Math.round(1e5 * (models.show(spec).values[classifier]?.[target] ?? 0)) / 1e5);
      }
      scores.push(line);
    }
    return scores;
  },
  direction: async (models, _, { wish }) => models.direction(wish),
  save: async (models, _, { document }) => JSON.stringify(models.save(document)),
  open: async (models, _, { text }) => models.open(text),
};

/** @param {Models} models @param {Spec} spec @param {Record<string, number>} ask @param {number} side @returns {Promise<Picture>} */
async function picture(models, spec, ask, side) {
  const { pixels, values, distance } = models.show(spec);
  const [, height, width] = models.content.image;
  let canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d")?.putImageData(new ImageData(new Uint8ClampedArray(pixels), width, height), 0, 0);
  if (width > side) {
    const small = new OffscreenCanvas(side, Math.max(1, Math.round((side * height) / width)));
    const context = small.getContext("2d");
    if (context) context.imageSmoothingQuality = "high";
    context?.drawImage(canvas, 0, 0, small.width, small.height);
    canvas = small;
  }
  const src = new scope.FileReaderSync().readAsDataURL(await canvas.convertToBlob());
  return { src, values: Object.fromEntries(Object.entries(values).map(([id, row]) => [id, told(row, ask[id] ?? 0)])), distance: Math.round(1000 * distance) / 1000 };
}

scope.onmessage = async (/** @type {MessageEvent} */ { data: { id, name, args } }) => {
  if (name === "cancel") {
    if (running.has(args.id)) cancelled.add(args.id);
    return;
  }
  running.add(id);
  try {
    if (name === "begin") {
      begin(await Models.of(args));
      scope.postMessage({ id, result: true });
      return;
    }
    const call = CALLS[name];
    if (!call) throw new Error(`the page cannot ${name}`);
    const models = await ready;
    const step = async (/** @type {string} */ doing, /** @type {number} */ done, /** @type {number} */ total) => {
      await pause();
      if (cancelled.has(id)) throw new Error("cancelled");
      if (doing) scope.postMessage({ id, progress: { doing, done, total } });
    };
    scope.postMessage({ id, result: await call(models, { id, step }, args) });
  } catch (error) {
    scope.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  } finally {
    for (const ids of [running, cancelled]) ids.delete(id);
  }
};
