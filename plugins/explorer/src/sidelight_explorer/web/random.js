// @ts-check
/**
 * A seeded random stream (mulberry32, by Tommy Ettinger, public domain): a shuffle can be made again.
 * @param {number} seed
 * @returns {() => number} in [0, 1)
 */
export function stream(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
