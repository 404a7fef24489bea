// @ts-check
/** Sliders along directions that users save, with the ids that the server gives them (`session/slider.py`). */
import { base64Of, floatsOf } from "./local-session.js";

/** @typedef {import("./local-session.js").StoredSlider} StoredSlider */

const SAVED = "saved";

/**
 * A slider along the difference of two latents, in some layers or all.
 * @param {string} name @param {Float32Array} direction (layers, d) @param {number} layers @param {[number, number] | undefined} range
 * @returns {StoredSlider}
 */
export function savedSlider(name, direction, layers, range) {
  const length = direction.length / layers;
  const [from, to] = range ?? [0, layers];
  const moved = direction.map((value, index) => (index >= from * length && index < to * length ? value : 0));
  if (!moved.some(Boolean)) throw new Error("direction: it moves nothing in W");
  const slider = { finder: SAVED, name, effect: 0, flagged: "", oneSided: false, target: 0, towards: "", coordinate: 0, shift: 1, value: null, direction: base64Of(moved) };
  return complete({ ...slider, id: "" });
}

/** A slider with its id and what else follows from its move. @param {StoredSlider} slider @returns {StoredSlider} */
export function complete(slider) {
  const { finder, coordinate, shift, value, direction } = slider;
  if (direction === null) {
    const move = `${coordinate} ${value === null ? "True" : "False"} ${short(value ?? shift)}`;
    return { ...slider, id: `${finder}.${digest(new TextEncoder().encode(move))}`, along: "style", axis: String(coordinate), rises: shift >= 0 };
  }
  const v = floatsOf(direction, atob(direction).length / 4, "slider.direction");
  const largest = v.reduce((best, component, index) => (Math.abs(component) > Math.abs(/** @type {number} */ (v[best])) ? index : best), 0);
  const most = Math.abs(/** @type {number} */ (v[largest]));
  const rises = /** @type {number} */ (v[largest]) > 0;
  const length = finder === SAVED ? ` ${short(most)}` : "";
  return { ...slider, id: `${finder}.${digestOf(v, most, length)}`, along: "w", axis: digestOf(rises ? v : v.map((component) => -component), most, ""), rises };
}

/** Digest of a direction, to three digits, and its length. @param {Float32Array} v @param {number} most @param {string} length */
function digestOf(v, most, length) {
  const scale = Math.fround(Math.max(most, 1e-12));
  const rounded = v.map((component) => Math.fround(even(Math.fround(Math.fround(component / scale) * 1000)) / 1000));
  const tail = new TextEncoder().encode(length);
  const bytes = new Uint8Array(rounded.byteLength + tail.length);
  bytes.set(new Uint8Array(rounded.buffer));
  bytes.set(tail, rounded.byteLength);
  return digest(bytes);
}

/** Rounded; halves to the even number. @param {number} x */
function even(x) {
  const low = Math.floor(x);
  return x - low === 0.5 ? low + Math.abs(low % 2) : Math.round(x);
}

/** A number to three digits, as Python's format `.3g` writes it. @param {number} x */
export function short(x) {
  const [digits = "0", power = "0"] = x.toExponential(2).split("e");
  const exponent = Number(power);
  /** @param {string} text */
  const bare = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (x !== 0 && (exponent < -4 || exponent >= 3)) return `${bare(digits)}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  return bare(x.toPrecision(3));
}

const MASK = (1n << 64n) - 1n;
const START = [0x6a09e667f3bcc908n, 0xbb67ae8584caa73bn, 0x3c6ef372fe94f82bn, 0xa54ff53a5f1d36f1n, 0x510e527fade682d1n, 0x9b05688c2b3e6c1fn, 0x1f83d9abfb41bd6bn, 0x5be0cd19137e2179n];
const ORDERS = ["0123456789abcdef", "ea489fd61c02b753", "b8c052fdae367194", "7931dcbe265a40f8", "905724afe1bc683d", "2c6a0b834d75fe19", "c51fed4a0763928b", "db7ec13950f4862a", "6fe9b308c2d714a5", "a2847615fb9e3cd0"];
const SIZE = 5; // bytes of the digest

/** BLAKE2b (RFC 7693), five bytes in hexadecimal. @param {Uint8Array} bytes */
export function digest(bytes) {
  const h = START.map((word, index) => (index ? word : word ^ 0x01010000n ^ BigInt(SIZE)));
  const blocks = Math.max(1, Math.ceil(bytes.length / 128));
  for (let block = 0; block < blocks; block++) {
    const chunk = new Uint8Array(128);
    chunk.set(bytes.subarray(128 * block, 128 * (block + 1)));
    const view = new DataView(chunk.buffer);
    const m = Array.from({ length: 16 }, (_, index) => view.getBigUint64(8 * index, true));
    const isLast = block === blocks - 1;
    const v = [...h, ...START];
    v[12] = /** @type {bigint} */ (v[12]) ^ BigInt(isLast ? bytes.length : 128 * (block + 1));
    if (isLast) v[14] = /** @type {bigint} */ (v[14]) ^ MASK;
    for (let round = 0; round < 12; round++) mix(v, m, /** @type {string} */ (ORDERS[round % 10]));
    for (let index = 0; index < 8; index++) h[index] = at(h, index) ^ at(v, index) ^ at(v, index + 8);
  }
  return Array.from({ length: SIZE }, (_, index) => Number((/** @type {bigint} */ (h[0]) >> BigInt(8 * index)) & 255n).toString(16).padStart(2, "0")).join("");
}

/** @param {bigint[]} words @param {number} index */
const at = (words, index) => words[index] ?? 0n;
const LANES = [[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15], [0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14]];

/** One round. @param {bigint[]} v @param {bigint[]} m @param {string} order */
function mix(v, m, order) {
  LANES.forEach((lane, index) => {
    const [a, b, c, d] = /** @type {[number, number, number, number]} */ (lane);
    /** @param {bigint} word @param {bigint} by */
    const turned = (word, by) => ((word >> by) | (word << (64n - by))) & MASK;
    for (const [half, first, second] of /** @type {const} */ ([[0, 32n, 24n], [1, 16n, 63n]])) {
      v[a] = (at(v, a) + at(v, b) + at(m, parseInt(order[2 * index + half] ?? "0", 16))) & MASK;
      v[d] = turned(at(v, d) ^ at(v, a), first);
      v[c] = (at(v, c) + at(v, d)) & MASK;
      v[b] = turned(at(v, b) ^ at(v, c), second);
    }
  });
}
