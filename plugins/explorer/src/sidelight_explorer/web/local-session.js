// @ts-check
/** Session files in a page that runs the models, read as strictly as by the server (`session/file.py`, `session/slider.py`). */
import { bytesOf } from "./local-runtime.js";

/** @typedef {import("./types.js").Document} Document */
/** @typedef {import("./types.js").Spec} Spec */
/** @typedef {{ id: string, finder: string, name: string, effect: number, flagged: string, oneSided: boolean, target: number, towards: string, coordinate: number, shift: number, value: number | null, direction: string | null, along?: "w" | "style", axis?: string, rises?: boolean, measured?: string }} StoredSlider */

const FORMAT = 1;
const VERDICTS = /** @type {const} */ (["open", "verified", "falsified"]);
const STYLE_ID = /^[A-Za-z0-9_.-]{1,80}$/;
export const MOST_SLIDERS = 500;
const [MOST_STYLES, MOST_IMAGES, MOST_NOTES, MOST_LATENTS, MOST_LAYERS, MOST_MOVES] = [200, 200, 500, 1000, 128, 64];
const [MOST_LABELS, MOST_TESTS, MOST_TESTED, MOST_CONTROLS, MOST_FACTORS, MOST_POINTS] = [1000, 20, 500, 100, 1000, 200];
const [LARGEST, LARGEST_SCORE] = [1e6, 1e9];

/** @param {unknown} value @param {string[]} known @param {string} path @returns {Record<string, any>} */
function fields(value, known, path) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${path}: expected a mapping`);
  for (const key of Object.keys(value)) if (!known.includes(key)) throw new Error(`${path}: unknown key '${key.slice(0, 80)}'`);
  return new Proxy(value, {
    get: (target, key) => {
      if (!Object.hasOwn(target, key)) throw new Error(`${path}: '${String(key)}' is missing`);
      return Reflect.get(target, key);
    },
  });
}

/** @param {unknown} value @param {number} most @param {string} path @returns {[string, unknown][]} */
function mapping(value, most, path) {
  const entries = typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : null;
  if (!entries || entries.length > most) throw new Error(`${path}: expected a mapping with at most ${most} entries`);
  return entries;
}

/** @param {unknown} value @param {number} most @param {string} path @returns {unknown[]} */
function listed(value, most, path) {
  if (!Array.isArray(value) || value.length > most) throw new Error(`${path}: expected a list of at most ${most}`);
  return value;
}

/** @param {unknown} value @param {number} longest @param {string} path @returns {string} */
function text(value, longest, path) {
  if (typeof value !== "string" || value.length > 2 * longest || [...value].length > longest) throw new Error(`${path}: expected text of at most ${longest} characters`);
  if (/[\uD800-\uDFFF]/u.test(value)) throw new Error(`${path}: half of a character`);
  return value;
}

/** @param {unknown} value @param {number} low @param {number} high @param {string} path @returns {number} */
function whole(value, low, high, path) {
  if (typeof value !== "number" || !Number.isInteger(value) || value < low || value > high) throw new Error(`${path}: expected a whole number from ${low} to ${high}`);
  return value;
}

/** @param {unknown} value @param {string} path @param {number} [low] @param {number} [high] @returns {number} */
function number(value, path, low = -LARGEST, high = LARGEST) {
  if (typeof value !== "number" || !(value >= low && value <= high)) throw new Error(`${path}: expected a number from ${low} to ${high}`);
  return value;
}

/** @param {unknown} value @param {string} path @returns {boolean} */
function flag(value, path) {
  if (typeof value !== "boolean") throw new Error(`${path}: expected true or false`);
  return value;
}

/** @template {string} T @param {unknown} value @param {readonly T[]} known @param {string} path @returns {T} */
function oneOf(value, known, path) {
  const found = known.find((one) => one === value);
  if (found === undefined) throw new Error(`${path}: expected one of ${known.join(", ")}`);
  return found;
}

/** One line. @param {unknown} value @param {string} path */
export function readName(value, path) {
  const name = text(value, 200, path).trim();
  if (/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u.test(name)) throw new Error(`${path}: expected one line without control characters`);
  return name;
}

/** @param {unknown} value @param {string} path */
function styleId(value, path) {
  const name = text(value, 80, path);
  if (!STYLE_ID.test(name)) throw new Error(`${path}: '${name}' is no id of a style`);
  return name;
}

/** @param {unknown} value @param {number} layers @param {string} path @returns {Spec} */
function readEdit(value, layers, path) {
  const parts = fields(value, ["layers", "moves"], path);
  const mixes = listed(parts.layers, MOST_LAYERS, `${path}.layers`).map((item) => {
    const mix = listed(item, 3, `${path}.layers`);
    if (mix.length !== 3) throw new Error(`${path}.layers: a layer is [style, style, share]`);
    return /** @type {import("./types.js").Mix} */ ([styleId(mix[0], `${path}.layers`), styleId(mix[1], `${path}.layers`), whole(mix[2], 0, 100, `${path}.layers`)]);
  });
  if (mixes.length !== layers) throw new Error(`${path}.layers: ${mixes.length} of them, the generator has ${layers}`);
  const moves = mapping("moves" in /** @type {object} */ (value) ? parts.moves : {}, MOST_MOVES, `${path}.moves`).map(([id, amount]) => /** @type {const} */ ([id, whole(amount, -100, 100, `${path}.moves`)]));
  return { layers: mixes, moves: Object.fromEntries(moves.filter(([, amount]) => amount)) };
}

/**
 * A session from JSON values, and the latents in it.
 * @param {unknown} value
 * @param {[number, number]} shape of latents: layers, length
 * @returns {{ document: Document, latents: Map<string, Float32Array> }}
 */
export function readSession(value, [layers, length]) {
  const parts = fields(value, ["format", "layers", "groups", "styles", "images", "notes", "sliders", "labels", "latents"], "session");
  const given = /** @type {Record<string, unknown>} */ (value);
  if (parts.format !== FORMAT) throw new Error(`session: format ${JSON.stringify(parts.format)} is not ${FORMAT}`);
  if (whole(parts.layers, 1, 128, "session.layers") !== layers) throw new Error(`session: made with a generator of ${parts.layers} layers, this one has ${layers}`);
  const sliders = listed(given.sliders ?? [], MOST_SLIDERS, "session.sliders").map((item) => readSlider(item, layers, length));
  const document = /** @type {Document} */ ({
    format: 1, layers, groups: whole(parts.groups, 1, layers, "session.groups"),
    styles: listed(parts.styles, MOST_STYLES, "session.styles").map((item) => {
      const style = fields(item, ["id", "name", "starred", "hidden"], "style");
      return { id: styleId(style.id, "style.id"), name: text(style.name, 200, "style.name"), ...marks(item, "style") };
    }),
    images: listed(parts.images, MOST_IMAGES, "session.images").map((item) => {
      const image = fields(item, ["id", "name", "start", "now"], "image");
      const [start, now] = [readEdit(image.start, layers, "image.start"), readEdit(image.now, layers, "image.now")];
      return { id: styleId(image.id, "image.id"), name: text(image.name, 200, "image.name"), start, now };
    }),
    notes: listed(given.notes ?? [], MOST_NOTES, "session.notes").map((item) => readNote(item, layers)),
    sliders, labels: readLabels(given.labels ?? {}),
  });
  for (const key of /** @type {const} */ (["styles", "images", "notes", "sliders"])) {
    if (new Set(document[key].map(({ id }) => id)).size < document[key].length) throw new Error(`session.${key}: two have the same id`);
  }
  return { document, latents: readLatents(given.latents ?? {}, layers * length) };
}

/** Star and hiding, where they are set. @param {unknown} value @param {string} path */
function marks(value, path) {
  const given = /** @type {Record<string, unknown>} */ (value);
  return Object.fromEntries(["starred", "hidden"].filter((key) => flag(given[key] ?? false, `${path}.${key}`)).map((key) => [key, true]));
}

/** @param {unknown} value @returns {import("./types.js").Labels} */
function readLabels(value) {
  return Object.fromEntries(mapping(value, MOST_LABELS, "session.labels").map(([id, item]) => {
    const label = fields(item, ["name", "starred", "hidden"], "session.labels");
    const name = readName("name" in /** @type {object} */ (item) ? label.name : "", "session.labels.name");
    return [text(id, 200, "session.labels"), { ...(name && { name }), ...marks(item, "session.labels") }];
  }));
}

/** @param {unknown} value @param {number} layers @returns {import("./types.js").Note} */
function readNote(value, layers) {
  const note = fields(value, ["id", "image", "text", "verdict", "tests", "reason", "curves"], "note");
  const given = /** @type {Record<string, unknown>} */ (value);
  const tests = listed(given.tests ?? [], MOST_TESTS, "note.tests").map((item) => readTest(item, layers));
  const reason = text(given.reason ?? "", 4000, "note.reason");
  const curves = listed(given.curves ?? [], MOST_TESTS, "note.curves").map(readCurve);
  return {
    id: styleId(note.id, "note.id"), image: text(note.image, 80, "note.image"), text: text(note.text, 4000, "note.text"), verdict: oneOf(note.verdict, VERDICTS, "note.verdict"),
    ...(tests.length && { tests }), ...(reason && { reason }), ...(curves.length && { curves }),
  };
}

/** @param {unknown} value @param {number} layers @returns {import("./types.js").Test} */
function readTest(value, layers) {
  const test = fields(value, ["expected", "least", "measure", "measured"], "note.tests");
  return {
    expected: oneOf(test.expected, /** @type {const} */ (["up", "down", "none"]), "note.tests.expected"), least: number(test.least, "note.tests.least", 0, LARGEST_SCORE),
    measure: readMeasure(test.measure, layers, "note.tests.measure"), measured: readMeasured(test.measured, "note.tests.measured"),
  };
}

/** @param {unknown} value @returns {import("./types.js").Curve} */
function readCurve(value) {
  const path = "note.curves";
  const parts = fields(value, ["along", "image", "classifier", "target", "positions", "scores", "band"], path);
  /** @param {unknown} item @param {string} place */
  const points = (item, place) => listed(item, MOST_POINTS, place).map((one) => number(one, place, -LARGEST_SCORE, LARGEST_SCORE));
  const [positions, scores] = [points(parts.positions, `${path}.positions`), points(parts.scores, `${path}.scores`)];
  const given = /** @type {Record<string, unknown>} */ (value).band ?? null;
  const inner = given === null ? null : fields(given, ["count", "mean", "low", "high"], `${path}.band`);
  const band = inner && { count: whole(inner.count, 1, 10_000, `${path}.band.count`), mean: points(inner.mean, `${path}.band.mean`), low: points(inner.low, `${path}.band.low`), high: points(inner.high, `${path}.band.high`) };
  const lists = [positions, scores, ...(band ? [band.mean, band.low, band.high] : [])];
  if (new Set(lists.map((list) => list.length)).size > 1 || !positions.length) throw new Error(`${path}: expected as many scores as positions, at least one`);
  return {
    along: text(parts.along, 4000, `${path}.along`), image: text(parts.image, 200, `${path}.image`), classifier: text(parts.classifier, 200, `${path}.classifier`),
    target: whole(parts.target, 0, 1_000_000, `${path}.target`), positions, scores, ...(band && { band }),
  };
}

/** What was asked, without the images of the gallery. @param {unknown} value @param {number} layers @param {string} path */
function readMeasure(value, layers, path) {
  const wish = fields(value, ["edit", "on", "count", "seed", "controls", "classifier", "target", "split", "images", "factors"], path);
  const given = /** @type {Record<string, unknown>} */ (value);
  for (const item of listed(given.images ?? [], MOST_TESTED, path)) readEdit(item, layers, `${path}.images`);
  return {
    edit: readOpenEdit(wish.edit, layers, `${path}.edit`), on: oneOf(wish.on, /** @type {const} */ (["gallery", "data", "draws"]), `${path}.on`),
    count: whole(wish.count, 1, MOST_TESTED, `${path}.count`), seed: whole(wish.seed, 0, 2 ** 31 - 1, `${path}.seed`), controls: whole(wish.controls, 0, MOST_CONTROLS, `${path}.controls`),
    classifier: text(wish.classifier, 200, `${path}.classifier`), target: whole(wish.target, 0, 1_000_000, `${path}.target`),
    split: text(given.split ?? "", 100, `${path}.split`), factors: given.factors === true,
  };
}

/** @param {unknown} value @param {number} layers @param {string} path @returns {import("./types.js").Edit} */
function readOpenEdit(value, layers, path) {
  const edit = fields(value, ["layers", "moves"], path);
  const mixes = listed(edit.layers, MOST_LAYERS, path).map((item) => {
    if (item === null) return null;
    const mix = listed(item, 3, `${path}.layers`);
    if (mix.length !== 3) throw new Error(`${path}.layers: a layer is null or [style, style, share]`);
    const [start, end] = mix.slice(0, 2).map((name) => (name === null ? null : styleId(name, `${path}.layers`)));
    return /** @type {import("./types.js").EditedMix} */ ([start ?? null, end ?? null, whole(mix[2], 0, 100, `${path}.layers`)]);
  });
  if (mixes.length !== layers) throw new Error(`${path}.layers: ${mixes.length} of them, the generator has ${layers}`);
  const moves = mapping(/** @type {any} */ (value).moves ?? {}, MOST_MOVES, `${path}.moves`);
  return { layers: mixes, moves: Object.fromEntries(moves.map(([id, amount]) => [text(id, 200, path), whole(amount, -100, 100, `${path}.moves`)])) };
}

/** @param {unknown} value @param {string} path @returns {import("./types.js").Measured} */
function readMeasured(value, path) {
  const parts = fields(value, ["names", "before", "after", "turned", "groups", "grouped", "moved", "controls", "factors"], path);
  const given = /** @type {Record<string, unknown>} */ (value);
  /** @param {string} key */
  const list = (key) => listed(parts[key], MOST_TESTED, `${path}.${key}`);
  /** @param {string} key */
  const scores = (key) => list(key).map((item) => number(item, `${path}.${key}`, -LARGEST_SCORE, LARGEST_SCORE));
  const [names, before, after] = [list("names").map((item) => styleId(item, `${path}.names`)), scores("before"), scores("after")];
  const [turned, groups] = [list("turned").map((item) => item === true), list("groups").map((item) => (item === null ? null : text(item, 200, `${path}.groups`)))];
  const counts = new Set([before, after, names, groups, ...(turned.length ? [turned] : [])].map((items) => items.length));
  if (counts.size > 1 || !before.length) throw new Error(`${path}: expected as many names, scores and groups as images, at least one`);
  const moved = fields(parts.moved, ["w", "image"], `${path}.moved`);
  const controls = listed(parts.controls, 2 * MOST_CONTROLS, `${path}.controls`).map((item) => {
    const control = fields(item, ["size", "change", "turned", "moved"], `${path}.controls`);
    return {
      size: oneOf(control.size, /** @type {const} */ (["w", "image"]), `${path}.controls`), change: number(control.change, `${path}.controls`, -LARGEST_SCORE, LARGEST_SCORE),
      turned: number(control.turned, `${path}.controls`, 0, 1), moved: number(control.moved, `${path}.controls`, 0, LARGEST_SCORE),
    };
  });
  const factors = given.factors === undefined || given.factors === null ? undefined : listed(given.factors, MOST_FACTORS, `${path}.factors`).map((item) => {
    const factor = fields(item, ["name", "change", "low", "high", "read"], `${path}.factors`);
    const [change, low, high, read] = ["change", "low", "high", "read"].map((key) => number(factor[key], `${path}.factors`, -LARGEST_SCORE, LARGEST_SCORE));
    return /** @type {import("./types.js").FactorChange} */ ({ name: text(factor.name, 200, `${path}.factors`), change, low, high, read });
  });
  return {
    names, before, after, turned, groups, grouped: oneOf(parts.grouped, /** @type {const} */ (["label", "answer"]), `${path}.grouped`),
    moved: { w: number(moved.w, `${path}.moved`, 0, LARGEST_SCORE), image: number(moved.image, `${path}.moved`, 0, LARGEST_SCORE) }, controls, ...(factors && { factors }),
  };
}

/** @param {unknown} value @param {number} layers @param {number} length @returns {StoredSlider} */
function readSlider(value, layers, length) {
  const parts = fields(value, ["id", "finder", "name", "effect", "flagged", "oneSided", "target", "towards", "measured", "coordinate", "shift", "value", "direction", "along", "axis", "rises"], "slider");
  const direction = parts.direction === null ? null : text(parts.direction, 10_000_000, "slider.direction");
  if (direction !== null) floatsOf(direction, layers * length, `slider.direction: not of ${layers} layers`);
  const amount = parts.value === null ? null : number(parts.value, "slider.value");
  return {
    id: text(parts.id, 200, "slider.id"), finder: text(parts.finder, 80, "slider.finder"), name: text(parts.name, 200, "slider.name"),
    effect: number(parts.effect, "slider.effect"), flagged: text(parts.flagged, 1000, "slider.flagged"), oneSided: direction === null && amount !== null,
    target: whole(parts.target, 0, 1_000_000, "slider.target"), towards: text(/** @type {any} */ (value).towards ?? "", 200, "slider.towards"),
    measured: text(/** @type {any} */ (value).measured ?? "", 200, "slider.measured"),
    coordinate: whole(parts.coordinate, 0, 10_000_000, "slider.coordinate"), shift: number(parts.shift, "slider.shift"), value: amount, direction,
  };
}

/** @param {unknown} value @param {number} count @returns {Map<string, Float32Array>} */
export function readLatents(value, count) {
  return new Map(mapping(value, MOST_LATENTS, "session.latents").map(([name, data]) => {
    const id = styleId(name, "session.latents");
    return [id, floatsOf(text(data, 10_000_000, "latents"), count, `session.latents: '${id}' is no latent of ${count} numbers`)];
  }));
}

/** Finite float32, little-endian, of base64. @param {string} data @param {number} count @param {string} otherwise */
export function floatsOf(data, count, otherwise) {
  let bytes;
  try {
    bytes = bytesOf(data);
  } catch {
    throw new Error(otherwise);
  }
  if (bytes.length !== 4 * count) throw new Error(otherwise);
  const floats = new Float32Array(bytes.buffer);
  if (!floats.every(Number.isFinite)) throw new Error(`${otherwise.split(":")[0]}: not finite`);
  return floats;
}

/** Inverse of `floatsOf`. @param {Float32Array} floats */
export function base64Of(floats) {
  const bytes = new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
  let result = "";
  for (let start = 0; start < bytes.length; start += 8192) result += String.fromCharCode(...bytes.subarray(start, start + 8192));
  return btoa(result);
}

/** Edits of images and of tests. @param {Document} doc */
const edits = (doc) => [...doc.images.flatMap(({ start, now }) => [start, now]), ...doc.notes.flatMap(({ tests }) => (tests ?? []).map(({ measure }) => measure.edit))];

/** Styles in the matrix, the images and the edits of tests. @param {Document} doc */
export function usedStyles(doc) {
  const mixed = edits(doc).flatMap(({ layers }) => layers.flatMap((mix) => (mix ? [mix[0], mix[1]] : []))).filter((id) => id !== null);
  return [...new Set([...doc.styles.map(({ id }) => id), ...mixed])].sort();
}

/** Sliders that are not at zero, in images and in the edits of tests. @param {Document} doc */
export function usedSliders(doc) {
  return [...new Set(edits(doc).flatMap(({ moves }) => Object.keys(moves).filter((id) => moves[id])))].sort();
}

