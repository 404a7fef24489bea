// @ts-check
/**
 * The matrix product as a WebAssembly module, assembled here: C = A B with four floats at a time.
 *
 * `product(a, b, c, m, panels, k, stride)`: A is (m, k), rows one behind the other; B is packed in panels of eight columns,
 * (panels, k, 8); C gets (m, 8 panels), its rows `stride` bytes apart. Addresses are in bytes.
 *
 * `convolve(a, b, c, m, panels, k, stride, offsets, lines, step, out)`: the same where row r of B begins at b + offsets[r],
 * panel after panel; then again for each of `lines` lines, with b larger by `step` and c by `out` bytes. So B is never
 * written down: its rows are shifted lines of an image.
 */

const ROWS = 4; // of C in one step: with two vectors a row, eight sums and three operands fit into sixteen registers
const [I32, V128] = [0x7f, 0x7b];

/** @param {number} value unsigned, as LEB128 @returns {number[]} */
const unsigned = (value) => (value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)]);
/** @param {number} value signed, as LEB128 @returns {number[]} */
const signed = (value) => (value >= -64 && value < 64 ? [value & 127] : [(value & 127) | 128, ...signed(value >> 7)]);
/** @param {number[]} bytes @returns {number[]} */
const sized = (bytes) => [...unsigned(bytes.length), ...bytes];
/** @param {number} id @param {number[]} bytes @returns {number[]} */
const section = (id, bytes) => [id, ...sized(bytes)];
/** @param {string} text @returns {number[]} */
const name = (text) => sized([...text].map((char) => char.charCodeAt(0)));

/** @param {number} local */ const get = (local) => [0x20, local];
/** @param {number} local */ const set = (local) => [0x21, local];
/** @param {number} value */ const constant = (value) => [0x41, ...signed(value)];
const LOAD = [0x28, 2, 0];
const [ADD, SUB, MUL] = [[0x6a], [0x6b], [0x6c]];
const LESS = [0x48];
const [SUM, PRODUCT] = [[0xfd, 0xe4, 0x01], [0xfd, 0xe6, 0x01]]; // f32x4.add, f32x4.mul
/** @param {number} offset */ const vector = (offset) => [0xfd, 0x00, 0, offset];
const SPLAT = [0xfd, 0x09, 0, 0]; // one float in all four places
/** @param {number} offset */ const store = (offset) => [0xfd, 0x0b, 0, offset];
const ZERO = [0xfd, 0x0c, ...Array(16).fill(0)];
/** A loop that is entered where `condition` holds, and again as long as it does. @param {number[]} condition @param {number[]} body */
const loop = (condition, body) => [0x02, 0x40, ...condition, 0x45, 0x0d, 0, 0x03, 0x40, ...body, ...condition, 0x0d, 0, 0x0b, 0x0b];
/** @param {number} local @param {number[]} amount */ const increase = (local, amount) => [...get(local), ...amount, ...ADD, ...set(local)];

// locals: the arguments of both; bytes of a row of A; counters; addresses; copies; two vectors of B, a number of A, sums
const [A, B, C, M, PANELS, K, STRIDE, OFFSETS, LINES, STEP, OUT] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
const [ROW_BYTES, PANEL, COUNT, PA, PB, PC, PO, PR, SA, SC, SM] = [11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21];
const [B0, B1, S, SUMS] = [22, 23, 24, 25];
const WHOLE = SM + 1; // locals that are whole numbers

/** As many rows of C as `rows`, all panels. @param {number} rows @param {boolean} shifted whether rows of B are found by offsets @returns {number[]} */
function strip(rows, shifted) {
  const each = Array.from({ length: rows }, (_, row) => row);
  const inner = [
    ...(shifted ? [...get(PO), ...LOAD, ...get(PB), ...ADD, ...set(PR), ...increase(PO, constant(4))] : [...get(PB), ...set(PR), ...increase(PB, constant(32))]),
    ...get(PR), ...vector(0), ...set(B0), ...get(PR), ...vector(16), ...set(B1),
    ...each.flatMap((row) => [
      ...get(PA), ...get(ROW_BYTES), ...constant(row), ...MUL, ...ADD, ...SPLAT, ...set(S),
      ...[0, 1].flatMap((half) => [...get(SUMS + 2 * row + half), ...get(S), ...get(half ? B1 : B0), ...PRODUCT, ...SUM, ...set(SUMS + 2 * row + half)]),
    ]),
    ...increase(PA, constant(4)), ...get(COUNT), ...constant(1), ...SUB, ...set(COUNT),
  ];
  const panel = [
    ...each.flatMap((row) => [...ZERO, ...set(SUMS + 2 * row), ...ZERO, ...set(SUMS + 2 * row + 1)]),
    ...get(A), ...set(PA), ...get(K), ...set(COUNT), ...(shifted ? [...get(OFFSETS), ...set(PO)] : []),
    ...loop([...constant(0), ...get(COUNT), ...LESS], inner),
    ...each.flatMap((row) => [0, 1].flatMap((half) => [...get(PC), ...get(STRIDE), ...constant(row), ...MUL, ...ADD, ...get(SUMS + 2 * row + half), ...store(16 * half)])),
    ...increase(PC, constant(32)), ...increase(PANEL, constant(1)), ...(shifted ? increase(PB, constant(32)) : []),
  ];
  return [
    ...get(B), ...set(PB), ...get(C), ...set(PC), ...constant(0), ...set(PANEL),
    ...loop([...get(PANEL), ...get(PANELS), ...LESS], panel),
    ...increase(A, [...get(ROW_BYTES), ...constant(rows), ...MUL]), ...increase(C, [...get(STRIDE), ...constant(rows), ...MUL]),
    ...get(M), ...constant(rows), ...SUB, ...set(M),
  ];
}

/** All rows of C. @param {boolean} shifted @returns {number[]} */
const strips = (shifted) => [
  ...loop([...constant(ROWS - 1), ...get(M), ...LESS], strip(ROWS, shifted)),
  ...loop([...constant(0), ...get(M), ...LESS], strip(1, shifted)),
];

/** A function's locals behind its arguments, and its body. @param {number} count of arguments @param {number[]} body @returns {number[]} */
const code = (count, body) => sized([2, WHOLE - count, I32, 3 + 2 * ROWS, V128, ...get(K), ...constant(4), ...MUL, ...set(ROW_BYTES), ...body, 0x0b]);

/** The module's bytes. */
export function productModule() {
  const line = [
    ...get(A), ...set(SA), ...get(C), ...set(SC), ...get(M), ...set(SM), ...strips(true),
    ...get(SA), ...set(A), ...get(SM), ...set(M), ...get(SC), ...get(OUT), ...ADD, ...set(C),
    ...increase(B, get(STEP)), ...get(LINES), ...constant(1), ...SUB, ...set(LINES),
  ];
  // the first function has the locals of the second, so that both are written with the same numbers
  const types = [7, 11].flatMap((count) => [0x60, ...sized(Array(count).fill(I32)), 0]);
  return new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [2, ...types]),
    ...section(2, [1, ...name("page"), ...name("memory"), 2, 0, 1]),
    ...section(3, [2, 0, 1]),
    ...section(7, [2, ...name("product"), 0, 0, ...name("convolve"), 0, 1]),
    ...section(10, [2, ...code(7, strips(false)), ...code(11, loop([...constant(0), ...get(LINES), ...LESS], line))]),
  ]);
}
