// @ts-check
/**
 * Computes the graphs that `offline_graph.py` records: float32, row-major, one example at a time.
 *
 * Products and convolutions are matrix products in WebAssembly (`local-wasm.js`); everything else is plain loops over the
 * same memory.
 */
import { productModule } from "./local-wasm.js";

/** @typedef {{ v: number } | { c: number }} Reference */
/** @typedef {{ values: number[], nodes: [string, number, Reference[], any][], input: number, output: number, shape: number[] }} Graph */
/** @typedef {{ table: [number, number, number][], data: string }} Constants */
/** @typedef {(inputs: Float32Array[], out: Float32Array) => void} Step */

const PAGE = 65536; // bytes of a page of WebAssembly's memory
const PANEL = 8; // columns of the right matrix that the kernel takes at a time
const MOST_PAGES = 32768; // 2 GiB

/** @type {Record<string, (x: number, p: number[]) => number>} */
const UNARY = {
  abs: Math.abs, cos: Math.cos, exp: Math.exp, floor: Math.floor, log: Math.log, sign: Math.sign, sin: Math.sin, sqrt: Math.sqrt,
  tanh: Math.tanh, log1p: Math.log1p, expm1: Math.expm1, erf,
  bitwise_not: (x) => Number(!x), logical_not: (x) => Number(!x),
  neg: (x) => -x, reciprocal: (x) => 1 / x, relu: (x) => (x > 0 ? x : 0), rsqrt: (x) => 1 / Math.sqrt(x), sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  round: (x) => { const low = Math.floor(x); return x - low === 0.5 ? low + Math.abs(low % 2) : Math.round(x); },
  silu: (x) => x / (1 + Math.exp(-x)), hardsigmoid: (x) => Math.min(6, Math.max(0, x + 3)) / 6, hardswish: (x) => (x * Math.min(6, Math.max(0, x + 3))) / 6,
  gelu: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)), gelu_tanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  power: (x, p) => x ** /** @type {number} */ (p[0]),
  elu: (x, [alpha, scale, inner]) => /** @type {number} */ (scale) * (x > 0 ? x : /** @type {number} */ (alpha) * Math.expm1(x * /** @type {number} */ (inner))),
  softplus: (x, [beta, threshold]) => (x * /** @type {number} */ (beta) > /** @type {number} */ (threshold) ? x : Math.log1p(Math.exp(x * /** @type {number} */ (beta))) / /** @type {number} */ (beta)),
};

/** @type {Record<string, (a: number, b: number) => number>} */
const BINARY = {
  maximum: Math.max, minimum: Math.min, pow: (a, b) => a ** b, eq: (a, b) => Number(a === b), ne: (a, b) => Number(a !== b),
  bitwise_and: (a, b) => Number(a && b), bitwise_or: (a, b) => Number(a || b), logical_and: (a, b) => Number(Boolean(a && b)), logical_or: (a, b) => Number(Boolean(a || b)),
  lt: (a, b) => Number(a < b), le: (a, b) => Number(a <= b), gt: (a, b) => Number(a > b), ge: (a, b) => Number(a >= b),
};

/** Abramowitz and Stegun's 7.1.26 is too coarse (1.5e-7 of erf itself); a series and a continued fraction are exact. @param {number} x */
function erf(x) {
  const size = Math.abs(x);
  if (size > 6) return Math.sign(x);
  if (size < 2.5) {
    let [term, sum] = [size, size];
    for (let n = 1; n < 60 && Math.abs(term) > 1e-17; n++) {
      term *= -(size * size) / n;
      sum += term / (2 * n + 1);
    }
    return Math.sign(x) * sum * (2 / Math.sqrt(Math.PI));
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (size + fraction);
  return Math.sign(x) * (1 - Math.exp(-size * size) / (Math.sqrt(Math.PI) * (size + fraction)));
}

/** Bytes of base64. @param {string} text @returns {Uint8Array} */
export function bytesOf(text) {
  const text8 = atob(text);
  const bytes = new Uint8Array(text8.length);
  for (let index = 0; index < bytes.length; index++) bytes[index] = text8.charCodeAt(index);
  return bytes;
}

/** Finite numbers of half precision. @param {Uint16Array} halves @param {Float32Array} out */
function widen(halves, out) {
  const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let index = 0; index < halves.length; index++) bits[index] = (/** @type {number} */ (halves[index]) & 0x7fff) << 13;
  // the exponent's offset is 15 in place of 127, also of numbers below the smallest normal one
  for (let index = 0; index < halves.length; index++) out[index] = /** @type {number} */ (out[index]) * 2 ** 112 * (/** @type {number} */ (halves[index]) & 0x8000 ? -1 : 1);
}

/** Memory, constants, and the functions that were compiled. */
export class Runtime {
  /** Floats in use from the start of the memory; what is above is free. */
  #used = 0;
  /** @type {Map<number, number>} constant to the address of its panels */
  #packed = new Map();
  /** @type {number[]} addresses of constants, in floats */
  #addresses = [];

  /** @param {WebAssembly.Memory} memory @param {{ product: Function, convolve: Function }} kernel @param {Constants} constants */
  constructor(memory, { product, convolve }, constants) {
    this.memory = memory;
    this.product = product;
    this.convolve = convolve;
    this.table = constants.table;
    const bytes = bytesOf(constants.data);
    for (const [width, offset, length] of constants.table) {
      const address = this.reserve(length);
      this.#addresses.push(address);
      const out = this.floats(address, length);
      if (width === 2) widen(new Uint16Array(bytes.buffer, offset, length), out);
      else out.set(new Float32Array(bytes.buffer, offset, length));
    }
  }

  /** @param {Constants} constants */
  static async of(constants) {
    const memory = new WebAssembly.Memory({ initial: 16, maximum: MOST_PAGES });
    const module = await WebAssembly.compile(productModule());
    const { exports } = await WebAssembly.instantiate(module, { page: { memory } });
    return new Runtime(memory, /** @type {any} */ (exports), constants);
  }

  /** Address of so many floats, which stay; at a multiple of four. @param {number} length */
  reserve(length) {
    const address = this.#used;
    this.#used += Math.ceil(length / 4) * 4;
    const missing = this.#used * 4 - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / PAGE) + 64);
    return address;
  }

  /** @param {number} address @param {number} length */
  floats(address, length) {
    return new Float32Array(this.memory.buffer, address * 4, length);
  }

  /** The numbers of a constant. @param {number} index */
  constant(index) {
    return this.floats(/** @type {number} */ (this.#addresses[index]), /** @type {any} */ (this.table[index])[2]).slice();
  }

  /** A graph as a function. @param {Graph} graph @returns {(input: Float32Array) => Float32Array} */
  compile(graph) {
    const addresses = this.#plan(graph);
    const scratch = new Scratch(this);
    const input = /** @type {number} */ (addresses[graph.input]);
    const steps = graph.nodes.map(([operator, out, inputs, attributes]) => {
      const make = OPERATORS[operator];
      if (!make) throw new Error(`the page knows no operator ${operator}`);
      const places = inputs.map((reference) => ("c" in reference
        ? { address: /** @type {number} */ (this.#addresses[reference.c]), length: /** @type {any} */ (this.table[reference.c])[2], constant: reference.c }
        : { address: /** @type {number} */ (addresses[reference.v]), length: /** @type {number} */ (graph.values[reference.v]), constant: -1 }));
      return make(this, scratch, attributes, places, { address: /** @type {number} */ (addresses[out]), length: /** @type {number} */ (graph.values[out]), constant: -1 });
    });
    const [result, length] = [/** @type {number} */ (addresses[graph.output]), /** @type {number} */ (graph.values[graph.output])];
    return (values) => {
      this.floats(input, values.length).set(values);
      for (const step of steps) step();
      return this.floats(result, length).slice();
    };
  }

  /** Panels of a constant right matrix (k, n), packed once. @param {Place} place @param {number} k @param {number} n */
  packed(place, k, n) {
    const known = this.#packed.get(place.constant);
    if (known !== undefined) return known;
    const address = this.reserve(Math.ceil(n / PANEL) * PANEL * k);
    pack(this.floats(place.address, place.length), this.floats(address, Math.ceil(n / PANEL) * PANEL * k), k, n);
    this.#packed.set(place.constant, address);
    return address;
  }

  /** Addresses of buffers; those that are not needed at the same time share memory. @param {Graph} graph */
  #plan(graph) {
    /** @type {number[]} */
    const last = [];
    graph.nodes.forEach(([, out, inputs], index) => {
      last[out] = Math.max(last[out] ?? 0, index);
      for (const reference of inputs) if ("v" in reference) last[reference.v] = index;
    });
    last[graph.output] = Infinity;
    /** @type {{ address: number, length: number }[]} */
    let free = [];
    /** @type {number[]} */
    const addresses = [];
    /** @param {number} value */
    const take = (value) => {
      const length = Math.ceil(/** @type {number} */ (graph.values[value]) / 4) * 4;
      const fitting = free.filter((hole) => hole.length >= length).sort((a, b) => a.length - b.length)[0];
      if (!fitting) {
        addresses[value] = this.reserve(length);
        return;
      }
      addresses[value] = fitting.address;
      free = free.filter((hole) => hole !== fitting);
      if (fitting.length > length) free.push({ address: fitting.address + length, length: fitting.length - length });
    };
    take(graph.input);
    graph.nodes.forEach(([, out, inputs], index) => {
      if (addresses[out] === undefined) take(out);
      const done = new Set([out, ...inputs.flatMap((reference) => ("v" in reference ? [reference.v] : []))]);
      for (const value of done) {
        if (last[value] === index) free.push({ address: /** @type {number} */ (addresses[value]), length: Math.ceil(/** @type {number} */ (graph.values[value]) / 4) * 4 });
      }
    });
    return addresses;
  }
}

/** @typedef {{ address: number, length: number, constant: number }} Place */

/** Memory for packed matrices and raw products, as large as the largest; shared by all steps of a function. */
class Scratch {
  /** @param {Runtime} runtime */
  constructor(runtime) {
    this.runtime = runtime;
    /** @type {{ address: number, length: number }[]} */
    this.parts = [];
  }

  /** @param {number} part @param {number} length */
  get(part, length) {
    const known = this.parts[part];
    if (known && known.length >= length) return known.address;
    const address = this.runtime.reserve(length);
    this.parts[part] = { address, length };
    return address;
  }
}

/** A (k, n) matrix in panels of eight columns, filled up with zeros. @param {Float32Array} from @param {Float32Array} to @param {number} k @param {number} n */
function pack(from, to, k, n) {
  let at = 0;
  for (let column = 0; column < n; column += PANEL) {
    const wide = Math.min(PANEL, n - column);
    for (let row = 0; row < k; row++) {
      for (let offset = 0; offset < wide; offset++) to[at + offset] = /** @type {number} */ (from[row * n + column + offset]);
      for (let offset = wide; offset < PANEL; offset++) to[at + offset] = 0;
      at += PANEL;
    }
  }
}

/**
 * C = A B with B in panels; columns beyond n are dropped.
 * @param {Runtime} runtime @param {Scratch} scratch @param {number} a @param {number} panels @param {number} c addresses in floats
 * @param {number} m @param {number} n @param {number} k
 */
function multiply(runtime, scratch, a, panels, c, m, n, k) {
  const count = Math.ceil(n / PANEL);
  const wide = count * PANEL;
  if (wide === n) {
    runtime.product(a * 4, panels * 4, c * 4, m, count, k, n * 4);
    return;
  }
  const raw = scratch.get(1, m * wide);
  runtime.product(a * 4, panels * 4, raw * 4, m, count, k, wide * 4);
  const [from, to] = [runtime.floats(raw, m * wide), runtime.floats(c, m * n)];
  for (let row = 0; row < m; row++) to.set(from.subarray(row * wide, row * wide + n), row * n);
}

/**
 * Walk through axes, the last one inside: `visit(offsets, length, steps)` for each row of it.
 * @param {number[]} shape @param {number[][]} strides @param {number[]} offsets
 * @param {(places: number[]) => void} visit
 */
function walk(shape, strides, offsets, visit) {
  const outer = shape.length - 1;
  const index = new Array(outer).fill(0);
  const places = [...offsets];
  for (;;) {
    visit(places);
    let axis = outer - 1;
    for (; axis >= 0; axis--) {
      index[axis]++;
      for (let each = 0; each < places.length; each++) places[each] = /** @type {number} */ (places[each]) + /** @type {any} */ (strides)[each][axis];
      if (index[axis] < /** @type {number} */ (shape[axis])) break;
      for (let each = 0; each < places.length; each++) places[each] = /** @type {number} */ (places[each]) - index[axis] * /** @type {any} */ (strides)[each][axis];
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}

/** @typedef {(runtime: Runtime, scratch: Scratch, attributes: any, inputs: Place[], out: Place) => () => void} Make */

/** @type {Record<string, Make>} */
const OPERATORS = {
  unary: (runtime, _, { f, p = [] }, [x], out) => () => {
    const [from, to] = [view(runtime, x), view(runtime, out)];
    if (f === "leaky_relu") for (let i = 0; i < to.length; i++) { const value = /** @type {number} */ (from[i]); to[i] = value > 0 ? value : value * p[0]; }
    else if (f === "relu") for (let i = 0; i < to.length; i++) { const value = /** @type {number} */ (from[i]); to[i] = value > 0 ? value : 0; }
    else if (f === "clamp") for (let i = 0; i < to.length; i++) { const value = /** @type {number} */ (from[i]); to[i] = value < p[0] ? p[0] : value > p[1] ? p[1] : value; }
    else {
      const apply = UNARY[f];
      if (!apply) throw new Error(`the page knows no function ${f}`);
      for (let i = 0; i < to.length; i++) to[i] = apply(/** @type {number} */ (from[i]), p);
    }
  },
  binary: (runtime, _, { f, shape, strides, offsets, alpha }, [a, b], out) => {
    const length = shape[shape.length - 1];
    const [stepA, stepB] = [strides[0][shape.length - 1], strides[1][shape.length - 1]];
    return () => {
      const [left, right, to] = [view(runtime, a), view(runtime, b), view(runtime, out)];
      let at = 0;
      walk(shape, strides, offsets, (places) => {
        let [i, j] = [/** @type {number} */ (places[0]), /** @type {number} */ (places[1])];
        const end = at + length;
        if (f === "add") for (; at < end; at++, i += stepA, j += stepB) to[at] = /** @type {any} */ (left)[i] + alpha * /** @type {any} */ (right)[j];
        else if (f === "sub") for (; at < end; at++, i += stepA, j += stepB) to[at] = /** @type {any} */ (left)[i] - alpha * /** @type {any} */ (right)[j];
        else if (f === "mul") for (; at < end; at++, i += stepA, j += stepB) to[at] = /** @type {any} */ (left)[i] * /** @type {any} */ (right)[j];
        else if (f === "div") for (; at < end; at++, i += stepA, j += stepB) to[at] = /** @type {any} */ (left)[i] / /** @type {any} */ (right)[j];
        else {
          const apply = BINARY[f];
          if (!apply) throw new Error(`the page knows no function ${f}`);
          for (; at < end; at++, i += stepA, j += stepB) to[at] = apply(/** @type {any} */ (left)[i], /** @type {any} */ (right)[j]);
        }
      });
    };
  },
  where: (runtime, _, { shape, strides, offsets }, [condition, a, b], out) => {
    const length = shape[shape.length - 1];
    const steps = strides.map((/** @type {number[]} */ each) => each[shape.length - 1]);
    return () => {
      const [test, yes, no, to] = [view(runtime, condition), view(runtime, a), view(runtime, b), view(runtime, out)];
      let at = 0;
      walk(shape, strides, offsets, ([i, j, k]) => {
        for (let n = 0; n < length; n++) to[at++] = /** @type {any} */ (test)[/** @type {any} */ (i) + n * steps[0]] ? /** @type {any} */ (yes)[/** @type {any} */ (j) + n * steps[1]] : /** @type {any} */ (no)[/** @type {any} */ (k) + n * steps[2]];
      });
    };
  },
  gather: (runtime, _, { shape, strides, offset }, [x], out) => {
    const [length, step] = [shape[shape.length - 1], strides[shape.length - 1]];
    return () => {
      const [from, to] = [view(runtime, x), view(runtime, out)];
      let at = 0;
      walk(shape, [strides], [offset], ([i]) => {
        for (let n = 0, place = /** @type {number} */ (i); n < length; n++, place += step) to[at++] = /** @type {number} */ (from[place]);
      });
    };
  },
  take: (runtime, _, __, [x, places], out) => () => {
    const [from, at, to] = [view(runtime, x), view(runtime, places), view(runtime, out)];
    for (let index = 0; index < to.length; index++) to[index] = /** @type {any} */ (from)[/** @type {any} */ (at)[index]];
  },
  scatter: (runtime, _, { shape, strides, offsets, value }, [x], out) => {
    const [length, stepFrom, stepTo] = [shape[shape.length - 1], strides[0][shape.length - 1], strides[1][shape.length - 1]];
    return () => {
      const [from, to] = [view(runtime, x), view(runtime, out).fill(value)];
      walk(shape, strides, offsets, ([i, j]) => {
        for (let n = 0; n < length; n++) to[/** @type {any} */ (j) + n * stepTo] = /** @type {any} */ (from)[/** @type {any} */ (i) + n * stepFrom];
      });
    };
  },
  cat: (runtime, _, { outer, chunks }, inputs, out) => () => {
    const [parts, to] = [inputs.map((place) => view(runtime, place)), view(runtime, out)];
    let at = 0;
    for (let row = 0; row < outer; row++) {
      for (const [index, part] of parts.entries()) {
        to.set(part.subarray(row * chunks[index], (row + 1) * chunks[index]), at);
        at += chunks[index];
      }
    }
  },
  product: (runtime, scratch, { batch, m, n, k }, [a, b], out) => {
    if (!a || !b) throw new Error("a product takes two matrices");
    const size = Math.ceil(n / PANEL) * PANEL * k;
    if (batch === 1 && b.constant >= 0) {
      const panels = runtime.packed(b, k, n);
      return () => multiply(runtime, scratch, a.address, panels, out.address, m, n, k);
    }
    scratch.get(0, size);
    return () => {
      const panels = scratch.get(0, size);
      for (let index = 0; index < batch; index++) {
        pack(runtime.floats(b.address + index * k * n, k * n), runtime.floats(panels, size), k, n);
        multiply(runtime, scratch, a.address + index * m * k, panels, out.address + index * m * n, m, n, k);
      }
    };
  },
  convolution: (runtime, scratch, size, [x, weight, bias], out) => {
    if (!x || !weight || !bias) throw new Error("a convolution takes images, weights and a bias");
    const { cin, cout, h, w, oh, ow, kh, kw, groups, stride, dilation } = size;
    const [inputs, outputs, places] = [cin / groups, cout / groups, oh * ow];
    const [phases, count] = [stride[1], Math.ceil(ow / PANEL)];
    // of an image with its border: lines, and places of one phase in a line, so that all panels can be read
    const lines = Math.max(h + 2 * size.pad[0], (oh - 1) * stride[0] + (kh - 1) * dilation[0] + 1);
    const across = Math.max(Math.ceil((w + 2 * size.pad[1]) / phases), count * PANEL + Math.ceil(((kw - 1) * dilation[1] + 1) / phases));
    const plane = lines * phases * across;
    const offsets = runtime.reserve(inputs * kh * kw);
    const k = inputs * kh * kw;
    const table = new Int32Array(runtime.memory.buffer, offsets * 4, k);
    for (let row = 0, channel = 0; channel < inputs; channel++) {
      for (let i = 0; i < kh; i++) {
        for (let j = 0; j < kw; j++) table[row++] = 4 * (channel * plane + (i * dilation[0] * phases + ((j * dilation[1]) % phases)) * across + Math.floor((j * dilation[1]) / phases));
      }
    }
    const wide = count * PANEL;
    scratch.get(0, inputs * plane);
    if (wide !== ow) scratch.get(1, outputs * oh * wide);
    return () => {
      const bordered = scratch.get(0, inputs * plane);
      for (let group = 0; group < groups; group++) {
        border(runtime.floats(x.address + group * inputs * h * w, inputs * h * w), runtime.floats(bordered, inputs * plane), inputs, size, lines, across);
        const target = wide === ow ? out.address + group * outputs * places : scratch.get(1, outputs * oh * wide);
        runtime.convolve((weight.address + group * outputs * k) * 4, bordered * 4, target * 4, outputs, count, k, oh * wide * 4, offsets * 4, oh, stride[0] * phases * across * 4, wide * 4);
        if (wide === ow) continue;
        const [from, to] = [runtime.floats(target, outputs * oh * wide), runtime.floats(out.address + group * outputs * places, outputs * places)];
        for (let line = 0; line < outputs * oh; line++) for (let column = 0; column < ow; column++) to[line * ow + column] = /** @type {number} */ (from[line * wide + column]);
      }
      addBias(view(runtime, out), view(runtime, bias), places);
    };
  },
  transposed: (runtime, scratch, size, [x, weight, bias], out) => {
    if (!x || !weight || !bias) throw new Error("a convolution takes images, weights and a bias");
    const { cin, cout, h, w, oh, ow, kh, kw, groups } = size;
    const [inputs, outputs, places] = [cin / groups, cout / groups, h * w];
    const rows = outputs * kh * kw;
    const length = Math.ceil(places / PANEL) * PANEL * inputs;
    scratch.get(0, length);
    scratch.get(2, rows * places);
    return () => {
      const [panels, shifted] = [scratch.get(0, length), scratch.get(2, rows * places)];
      view(runtime, out).fill(0);
      for (let group = 0; group < groups; group++) {
        pack(runtime.floats(x.address + group * inputs * places, inputs * places), runtime.floats(panels, length), inputs, places);
        multiply(runtime, scratch, weight.address + group * rows * inputs, panels, shifted, rows, places, inputs);
        fold(runtime.floats(shifted, rows * places), runtime.floats(out.address + group * outputs * oh * ow, outputs * oh * ow), outputs, size);
      }
      addBias(view(runtime, out), view(runtime, bias), oh * ow);
    };
  },
  maxpool: (runtime, _, { planes, h, w, oh, ow, kernel, stride, pad, dilation }, [x], out) => () => {
    const [from, to] = [view(runtime, x), view(runtime, out)];
    let at = 0;
    for (let plane = 0; plane < planes; plane++) {
      for (let row = 0; row < oh; row++) {
        for (let column = 0; column < ow; column++) {
          let most = -Infinity;
          for (let i = 0; i < kernel[0]; i++) {
            const y = row * stride[0] - pad[0] + i * dilation[0];
            if (y < 0 || y >= h) continue;
            for (let j = 0; j < kernel[1]; j++) {
              const z = column * stride[1] - pad[1] + j * dilation[1];
              if (z >= 0 && z < w) most = Math.max(most, /** @type {number} */ (from[(plane * h + y) * w + z]));
            }
          }
          to[at++] = most;
        }
      }
    }
  },
  resample: (runtime, scratch, { planes, h, w, oh, ow }, [x, down, across], out) => {
    if (!x || !down || !across) throw new Error("resampling takes images and two matrices");
    const panels = runtime.packed(across, w, ow);
    const length = Math.ceil(ow / PANEL) * PANEL * h;
    [scratch.get(2, planes * h * ow), scratch.get(0, length)];
    return () => {
      const [narrow, packed] = [scratch.get(2, planes * h * ow), scratch.get(0, length)];
      multiply(runtime, scratch, x.address, panels, narrow, planes * h, ow, w);
      for (let plane = 0; plane < planes; plane++) {
        pack(runtime.floats(narrow + plane * h * ow, h * ow), runtime.floats(packed, length), h, ow);
        multiply(runtime, scratch, down.address, packed, out.address + plane * oh * ow, oh, ow, h);
      }
    };
  },
  reduce: (runtime, _, { f, rows, columns }, [x], out) => () => {
    const [from, to] = [view(runtime, x), view(runtime, out)];
    for (let row = 0, at = 0; row < rows; row++) {
      let value = f === "max" ? -Infinity : f === "min" ? Infinity : 0;
      for (let column = 0; column < columns; column++, at++) {
        const next = /** @type {number} */ (from[at]);
        value = f === "max" ? Math.max(value, next) : f === "min" ? Math.min(value, next) : value + next;
      }
      to[row] = f === "mean" ? value / columns : value;
    }
  },
  softmax: (runtime, _, { f, rows, columns }, [x], out) => () => {
    const [from, to] = [view(runtime, x), view(runtime, out)];
    for (let row = 0; row < rows; row++) softmax(from.subarray(row * columns, (row + 1) * columns), to.subarray(row * columns, (row + 1) * columns), f === "log_softmax");
  },
};

/** @param {Runtime} runtime @param {Place | undefined} place */
function view(runtime, place) {
  if (!place) throw new Error("an operator lacks an input");
  return runtime.floats(place.address, place.length);
}

/** @param {Float32Array} from @param {Float32Array} to @param {boolean} log */
export function softmax(from, to, log = false) {
  const most = from.reduce((a, b) => Math.max(a, b), -Infinity);
  let total = 0;
  for (const value of from) total += Math.exp(value - most);
  for (let index = 0; index < from.length; index++) {
    const shifted = /** @type {number} */ (from[index]) - most;
    to[index] = log ? shifted - Math.log(total) : Math.exp(shifted) / total;
  }
}

/** @param {Float32Array} to @param {Float32Array} bias @param {number} places */
function addBias(to, bias, places) {
  for (let channel = 0, at = 0; channel < bias.length; channel++) {
    const value = /** @type {number} */ (bias[channel]);
    if (value === 0) at += places;
    else for (const end = at + places; at < end; at++) to[at] = /** @type {number} */ (to[at]) + value;
  }
}

/**
 * Images with their border of zeros, the columns of a line sorted by their phase: with stride 2 the even ones, then the odd.
 * @param {Float32Array} from @param {Float32Array} to @param {number} channels @param {any} size @param {number} lines @param {number} across
 */
function border(from, to, channels, { h, w, pad, stride }, lines, across) {
  const phases = stride[1];
  to.fill(0);
  for (let channel = 0; channel < channels; channel++) {
    for (let y = 0; y < h; y++) {
      const [source, target] = [(channel * h + y) * w, (channel * lines + y + pad[0]) * phases * across];
      if (phases === 1) {
        for (let x = 0, at = target + pad[1]; x < w; x++, at++) to[at] = /** @type {number} */ (from[source + x]);
      } else {
        for (let x = 0; x < w; x++) to[target + ((x + pad[1]) % phases) * across + Math.floor((x + pad[1]) / phases)] = /** @type {number} */ (from[source + x]);
      }
    }
  }
}

/**
 * Shifted images, (channel, i, j) each, added up where they lie.
 * @param {Float32Array} from @param {Float32Array} to @param {number} channels @param {any} size
 */
function fold(from, to, channels, { h, w, oh, ow, kh, kw, stride, pad, dilation }) {
  let at = 0;
  for (let channel = 0; channel < channels; channel++) {
    for (let i = 0; i < kh; i++) {
      for (let j = 0; j < kw; j++) {
        const [top, left] = [i * dilation[0] - pad[0], j * dilation[1] - pad[1]];
        for (let y = 0; y < h; y++) {
          const line = y * stride[0] + top;
          if (line < 0 || line >= oh) {
            at += w;
            continue;
          }
          const start = (channel * oh + line) * ow;
          for (let x = 0, column = left; x < w; x++, column += stride[1], at++) {
            if (column >= 0 && column < ow) to[start + column] = /** @type {number} */ (to[start + column]) + /** @type {number} */ (from[at]);
          }
        }
      }
    }
  }
}
