// @ts-check
/** Scoring: attributes as Lang et al. 2021, section 4.2.2; predictions by condition. */

/** @typedef {import("./study.js").Study} Study */
/** @typedef {import("./study.js").Session} Session */

const Z = 1.96; // of a normal distribution, 95 % lie within
const DROPPED = new Set(("a an the and or of on in at to into from with for by it its is are be being was were his her their this that some "
  + "more less very bit slightly gets get getting becomes become becoming turns turn change changes changed changing different").split(" "));

/** Right answers out of so many. @typedef {{ right: number, of: number }} Share */

/**
 * Wilson's 95 % interval of a share.
 * @param {Share} share
 * @returns {[number, number]}
 */
export function interval({ right, of }) {
  if (of === 0) return [0, 1];
  const p = right / of;
  const centre = p + Z ** 2 / (2 * of);
  const spread = Z * Math.sqrt((p * (1 - p)) / of + Z ** 2 / (4 * of ** 2));
  const scale = 1 + Z ** 2 / of;
  return [right === 0 ? 0 : (centre - spread) / scale, right === of ? 1 : (centre + spread) / scale]; // these two exactly
}

/**
 * The right answers of some people to the questions of part 1 that a filter lets through.
 * @param {Study} study
 * @param {Session[]} sessions
 * @param {(question: import("./study.js").Identify) => boolean} wanted
 * @returns {Share}
 */
export function correct(study, sessions, wanted) {
  const share = { right: 0, of: 0 };
  for (const [n, question] of study.identify.entries()) {
    for (const session of wanted(question) ? sessions : []) {
      const answer = session.identify[n];
      if (!answer) continue;
      share.of += 1;
      share.right += answer.choice === question.correct ? 1 : 0;
    }
  }
  return share;
}

/**
 * The right predictions of some people.
 * @param {Study} study
 * @param {Session[]} sessions
 * @returns {Share & { seconds: number }} with the mean time of an answer
 */
export function predicted(study, sessions) {
  const answers = sessions.flatMap((session) => study.predict.flatMap(({ correct }, n) => {
    const answer = session.predict[n];
    return answer ? [{ right: answer.choice === correct, seconds: answer.seconds }] : [];
  }));
  const total = answers.reduce((sum, { seconds }) => sum + seconds, 0);
  return { right: answers.filter(({ right }) => right).length, of: answers.length, seconds: total / Math.max(1, answers.length) };
}

/**
 * 95 % interval of a difference of two independent shares (Newcombe 1998, method 10), from the Wilson interval of each.
 * @param {Share} one
 * @param {Share} other
 * @returns {[number, number]}
 */
export function differenceInterval(one, other) {
  const [p, q] = [one.right / one.of, other.right / other.of];
  const [[low, high], [least, most]] = [interval(one), interval(other)];
  return [p - q - Math.hypot(p - low, most - q), p - q + Math.hypot(high - p, q - least)];
}

/**
 * Mean and standard deviation of people's shares of right answers to questions about one finder; people without any are left out.
 * @param {Study} study
 * @param {Session[]} sessions
 * @param {number} finder
 */
export function between(study, sessions, finder) {
  return spread(sessions.map((session) => correct(study, [session], (question) => question.finder === finder)));
}

/** Mean and standard deviation of the shares of people; those without answers are left out. @param {Share[]} shares */
export function spread(shares) {
  const each = shares.filter(({ of }) => of > 0).map(({ right, of }) => right / of);
  const mean = each.reduce((sum, share) => sum + share, 0) / (each.length || 1);
  const deviation = Math.sqrt(each.reduce((sum, share) => sum + (share - mean) ** 2, 0) / Math.max(1, each.length - 1));
  return { people: each.length, mean, deviation };
}

/**
 * The words of a description that say something, each in one form, with how it was written.
 * @param {string} text
 * @returns {Map<string, string>}
 */
export function words(text) {
  const tokens = text.normalize("NFKC").toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return new Map(tokens.filter((word) => !DROPPED.has(word)).map((word) => [singular(word), word]));
}

/** @param {string} word */
function singular(word) {
  return word.length > 3 && word.endsWith("s") && !word.endsWith("ss") ? word.slice(0, -1) : word;
}

/**
 * The words that most descriptions of one attribute share.
 * @param {string[]} descriptions
 * @returns {{ stems: string[], words: string[], in: number, of: number }} several words where they tie; none where nobody saw anything
 */
export function common(descriptions) {
  /** @type {Map<string, { written: string, count: number }>} */
  const counts = new Map();
  for (const description of descriptions) {
    for (const [stem, written] of words(description)) {
      counts.set(stem, { written: counts.get(stem)?.written ?? written, count: (counts.get(stem)?.count ?? 0) + 1 });
    }
  }
  const most = Math.max(0, ...[...counts.values()].map(({ count }) => count));
  const top = [...counts].filter(([, { count }]) => count === most);
  return { stems: top.map(([stem]) => stem), words: top.map(([, { written }]) => written), in: most, of: descriptions.length };
}

/**
 * What people wrote about an attribute, in the order of the people.
 * @param {Study} study
 * @param {Session[]} sessions
 * @param {number} finder
 * @param {number} attribute
 */
export function descriptions(study, sessions, finder, attribute) {
  const n = study.describe.findIndex((question) => question.finder === finder && question.attribute === attribute);
  return sessions.flatMap((session) => session.describe[n]?.text ?? []);
}

/**
 * How many attributes of a finder have a word that all their descriptions share, and how many pairs of attributes have a most
 * common word in common; over attributes that at least two people described.
 * @param {ReturnType<typeof common>[]} descriptions
 */
export function coherence(descriptions) {
  const judged = descriptions.filter(({ of }) => of > 1);
  const shared = judged.filter((one) => one.in === one.of).length;
  const alike = judged.flatMap((one, i) => judged.slice(i + 1).filter((other) => one.stems.some((stem) => other.stems.includes(stem))));
  return { of: judged.length, shared, pairs: alike.length };
}
