// @ts-check
/** Scores as people read them. */

/** @typedef {import("./types.js").Classifier} Classifier */
/** @typedef {import("./types.js").Picture} Picture */
/** @typedef {import("./types.js").View} View */

const MINUS = "\u2212";

/** Two digits behind the point, with a true minus sign. @param {number | undefined} value @param {number} [digits] */
export function fixed(value, digits = 2) {
  if (value === undefined || !Number.isFinite(value)) return "–";
  const text = Math.abs(value) >= 1000 ? value.toPrecision(4) : value.toFixed(digits);
  return text.replace("-", Number(text) === 0 ? "" : MINUS);
}

/** The same with a plus sign. @param {number | undefined} value */
export function signed(value) {
  if (value === undefined) return "–";
  const text = fixed(value);
  return value > 0 && Number(text) !== 0 ? `+${text}` : text;
}

/** Score of an image by the view's classifier. @param {Picture | null | undefined} picture @param {View} view */
export function scoreOf(picture, { classifier, target }) {
  return picture?.values[classifier]?.[String(target)];
}

/** A score with its unit, if it has one. @param {number | undefined} value @param {Classifier} classifier */
function withUnit(value, classifier) {
  return value === undefined || !classifier.unit ? fixed(value) : `${fixed(value)} ${classifier.unit}`;
}

/** From the middle of a regression's bar to either end. @param {Classifier} classifier */
function reachOf({ scale }) {
  return scale ? Math.max(scale.high - scale.neutral, scale.neutral - scale.low) : 0;
}

/** Meaning of a score. @param {Classifier} classifier @param {number} target */
export function meaning(classifier, target) {
  const name = classifier.classes[target] ?? String(target);
  if (classifier.task === "binary") return `${name}, from ${MINUS}1 to 1`;
  if (classifier.task !== "regression") return `probability of ${name}`;
  const [reach, middle] = [reachOf(classifier), classifier.scale?.neutral ?? 0];
  const bar = reach ? `; bar from ${fixed(middle - reach)} to ${fixed(middle + reach)}, middle ${fixed(middle)}` : "";
  return `${name}${classifier.unit ? ` in ${classifier.unit}` : ""}${bar}`;
}

/** The most confident class and its value. @param {Picture} picture @param {Classifier} classifier */
export function verdict(picture, classifier) {
  const values = Object.entries(picture.values[classifier.id] ?? {});
  const [index, value] = values.reduce((best, entry) => (entry[1] > best[1] ? entry : best), ["0", -Infinity]);
  return classifier.task === "regression" ? withUnit(value, classifier) : `${classifier.classes[Number(index)] ?? index} ${fixed(value)}`;
}

/**
 * A score's place between the two ends of its scale, in [-1, 1]: half a probability is the middle, and a regression's neutral value.
 * @param {number | undefined} score
 * @param {Classifier} classifier
 */
export function tone(score, classifier) {
  if (score === undefined) return 0;
  const [reach, middle] = [reachOf(classifier), classifier.scale?.neutral ?? 0];
  if (classifier.task === "regression") return reach ? Math.max(-1, Math.min(1, (score - middle) / reach)) : 0;
  return Math.max(-1, Math.min(1, classifier.task === "binary" ? score : 2 * score - 1));
}
