// @ts-check
/**
 * The condition of a participant: one of the explanations, or none. It stays the same for all questions (a design between
 * participants), because whoever has seen the explanation of an image cannot be asked about it without.
 */

/** @typedef {import("./study.js").Study} Study */
/** @typedef {import("./study.js").Assigned} Assigned */
/** @typedef {{ condition: string, assigned: Assigned, label: string, problem: string }} Assignment */

export const NONE = "none"; // in an address and in tables; "" within

/**
 * `?condition=NAME` (or `none`) names the condition, `?participant=NUMBER` takes them in turn, otherwise chance decides.
 * @param {Study} study
 * @param {string} search of the page's address
 * @returns {Assignment}
 */
export function assignment(study, search) {
  const address = new URLSearchParams(search);
  const conditions = ["", ...study.conditions.map(({ name }) => name)];
  const named = address.get("condition");
  const label = (address.get("participant") ?? "").trim().slice(0, 60);
  if (named !== null && conditions.includes(inner(named))) return { condition: inner(named), assigned: "address", label, problem: "" };
  const known = conditions.map(outer).join(", ");
  const problem = named === null ? "" : `The address names the condition “${named}”, which this study does not have (${known}): chance decided.`;
  if (named === null && /^\d+$/.test(label)) return { condition: conditions[Number(label) % conditions.length] ?? "", assigned: "number", label, problem };
  return { condition: conditions[below(conditions.length)] ?? "", assigned: "random", label, problem };
}

/** A condition as tables and addresses call it. @param {string} condition */
export function outer(condition) {
  return condition || NONE;
}

/** @param {string} name */
function inner(name) {
  return name === NONE ? "" : name;
}

/** A random number below `count`; the modulus of 32 random bits favours none by more than one in a hundred million. @param {number} count */
function below(count) {
  return (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) % count;
}
