// @ts-check
/** Sliders with the names that the user gave them; two that go opposite ways are one. */

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./types.js").Slider} Slider */
/** @typedef {import("./types.js").Spec} Spec */
/** @typedef {import("./types.js").Label} Label */

/** One slider of the page: `up` to the right, and where there is one, `down` to the left. @typedef {{ up: Slider, down: Slider | undefined }} Line */

/** Finder of the directions that users save; `SAVED` in session/slider.py. */
export const SAVED = "saved";

/** The run's sliders, and those that came with the session. @param {App} app @returns {Slider[]} */
export function slidersOf(app) {
  const known = new Set(app.facts.attributes.map(({ id }) => id));
  return [...app.facts.attributes, ...app.doc.sliders.filter(({ id }) => !known.has(id))];
}

/**
 * Sliders, of which two that go opposite ways along one axis are one; in the order of the first of them. To the right goes a
 * coordinate's rise, or a direction's later class.
 * @param {Slider[]} sliders
 * @returns {Line[]}
 */
export function linesOf(sliders) {
  /** @type {Map<string, Line>} */
  const lines = new Map();
  for (const slider of sliders) {
    const axis = slider.axis === undefined || slider.finder === SAVED ? slider.id : `${slider.finder} ${slider.along} ${slider.axis}`;
    const first = lines.get(axis);
    if (!first) lines.set(axis, { up: slider, down: undefined });
    else if (first.down || first.up.rises === slider.rises) lines.set(slider.id, { up: slider, down: undefined });
    else lines.set(axis, isRight(first.up, slider) ? { up: first.up, down: slider } : { up: slider, down: first.up });
  }
  return [...lines.values()];
}

/** @param {Slider} one @param {Slider} other the opposite one */
function isRight(one, other) {
  return one.along === "w" && one.target !== other.target ? one.target > other.target : Boolean(one.rises);
}

/** @param {Line} line */
export function idsOf({ up, down }) {
  return down ? [up.id, down.id] : [up.id];
}

/** What the user made of a slider. @param {App} app @param {Line} line @returns {Label} */
export function labelOf(app, { up }) {
  return app.doc.labels?.[up.id] ?? {};
}

/** The name by the finder: of two opposite sliders what both are called. @param {Line} line */
export function foundName({ up, down }) {
  if (!down) return up.name;
  const [one, other] = [up.name, down.name].map((name) => name.replace(/[, ]+(up|down)$/, ""));
  return one === other ? up.name.replace(/[, ]+(up|down)$/, "") : `${down.name} ↔ ${up.name}`;
}

/** The name that is shown. @param {App} app @param {Line} line */
export function nameOf(app, line) {
  return labelOf(app, line).name || foundName(line);
}

/** Where an image stands on a line, in percent. @param {Spec | undefined} spec @param {Line} line */
export function amountOf(spec, { up, down }) {
  return (spec?.moves[up.id] ?? 0) - (down ? spec?.moves[down.id] ?? 0 : 0);
}

/** The moves that put an image there. @param {Line} line @param {number} percent @returns {Record<string, number>} */
export function movesTo({ up, down }, percent) {
  return down ? { [up.id]: Math.max(0, percent), [down.id]: Math.max(0, -percent) } : { [up.id]: percent };
}

/** @param {Spec} spec @param {Line} line @param {number} percent @returns {Spec} */
export function withAmount(spec, line, percent) {
  return { ...spec, moves: { ...spec.moves, ...movesTo(line, percent) } };
}

/** The left end of a line. @param {Line} line */
export function leastOf({ up, down }) {
  return up.oneSided && !down ? 0 : -100;
}

/** An image's moves by the names that are shown, in percent. @param {App} app @param {Spec} spec @returns {[string, number][]} */
export function namedMoves(app, spec) {
  return linesOf(slidersOf(app)).map((line) => /** @type {[string, number]} */ ([nameOf(app, line), amountOf(spec, line)])).filter(([, amount]) => amount !== 0);
}
