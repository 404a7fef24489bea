// @ts-check
/** The answers of everybody who answered in this browser, or whose file was opened here. */
import { assignment } from "./study-assignment.js";

/** @typedef {import("./study.js").Study} Study */
/** @typedef {import("./study.js").Session} Session */
/** @typedef {import("./study.js").Kept} Kept */
/** @typedef {import("./study.js").Part} Part */
/** @typedef {import("./study-assignment.js").Assignment} Assignment */

export const PARTS = /** @type {const} */ (["predict", "identify", "describe"]);

/** Storage of answers between visits, under the study's own key. */
export class Store {
  /** Whether answers outlive the page; some browsers keep nothing for pages on disk. */
  lasting = true;

  /** What is wrong with the page's address; empty where nothing is. */
  problem = "";

  /** @param {Study} study @param {string} search of the page's address */
  constructor(study, search) {
    this.study = study;
    this.search = search;
    this.key = `sidelight-study-${study.study}`;
    const wanted = assignment(study, search);
    this.problem = study.predict.length ? wanted.problem : "";
    const fresh = newSession(wanted);
    /** @type {Kept} */
    this.stored = this.#read() ?? { sessions: [fresh], current: fresh.id };
    if (!fits(this.session, wanted)) this.#enter(wanted, fresh);
  }

  /** The parts that have questions. */
  get parts() {
    return PARTS.filter((part) => this.study[part].length > 0);
  }

  /** A text with the number of its part before it, where there are several parts. @param {Part} part @param {string} text @param {string} mark */
  numbered(part, text, mark) {
    if (this.parts.length > 1) return `Part ${this.parts.indexOf(part) + 1}${mark} ${text}`;
    return text.charAt(0).toUpperCase() + text.slice(1);
  }

  get sessions() {
    return this.stored.sessions;
  }

  /** The person who is answering. @returns {Session} */
  get session() {
    const valid = this.sessions.find(({ id }) => id === this.stored.current);
    return valid ?? this.begin();
  }

  /** Somebody else answers; a condition that the address names is theirs, too, a number is not. */
  begin() {
    const address = new URLSearchParams(this.search);
    address.delete("participant");
    return this.#add(newSession(assignment(this.study, address.toString())));
  }

  /** The person whom the address names: known from an earlier visit, or new. @param {Assignment} wanted @param {Session} fresh */
  #enter(wanted, fresh) {
    const known = this.sessions.find((session) => wanted.label !== "" && fits(session, wanted));
    if (known) this.stored.current = known.id;
    else this.#add(fresh);
  }

  /** @param {Session} session */
  #add(session) {
    this.stored = { sessions: [...this.sessions.filter(hasAnswers), session], current: session.id };
    this.save();
    return session;
  }

  /** @param {Part} part */
  answered(part) {
    return Object.keys(this.session[part]).length;
  }

  /** The first question of a part without an answer; the number of questions where there is none. @param {Part} part */
  next(part) {
    const open = this.study[part].findIndex((_, n) => !(n in this.session[part]));
    return open < 0 ? this.study[part].length : open;
  }

  /**
   * Add the answers in a file; those of a person who is known already replace the older ones.
   * @param {string} text
   * @returns {string} why it was refused; empty where it was not
   */
  add(text) {
    const session = parsed(text, this.study);
    if (typeof session === "string") return session;
    this.stored.sessions = [...this.sessions.filter(({ id }) => id !== session.id), session];
    this.save();
    return "";
  }

  save() {
    try {
      localStorage.setItem(this.key, JSON.stringify(this.stored));
    } catch {
      this.lasting = false;
    }
  }

  /** @returns {Kept | null} */
  #read() {
    try {
      const stored = JSON.parse(localStorage.getItem(this.key) ?? "null");
      const sessions = Array.isArray(stored?.sessions) ? stored.sessions.map((/** @type {unknown} */ one) => checked(one, this.study)) : [];
      const good = sessions.filter((/** @type {Session | null} */ one) => one !== null);
      return good.some((/** @type {Session} */ { id }) => id === stored.current) ? { sessions: good, current: stored.current } : null;
    } catch {
      this.lasting = false;
      return null;
    }
  }
}

/** @param {Session} session */
export function hasAnswers(session) {
  return PARTS.some((part) => Object.keys(session[part]).length > 0);
}

/** Whether the address means this person. @param {Session} session @param {Assignment} wanted */
function fits(session, wanted) {
  return (wanted.label === "" || session.label === wanted.label) && (wanted.assigned === "random" || session.condition === wanted.condition);
}

/** @param {Assignment} assignment @returns {Session} */
function newSession({ condition, assigned, label }) {
  const id = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return { id, label, condition, assigned, predict: {}, identify: {}, describe: {} };
}

/** The session in a file, or why there is none. @param {string} text @param {Study} study @returns {Session | string} */
function parsed(text, study) {
  let content;
  try {
    content = JSON.parse(text);
  } catch {
    return "it is not a JSON file of this page";
  }
  if (content?.study !== study.study) return "it holds answers to another study";
  return checked(content.session, study) ?? "its answers are not in the form that this page writes";
}

/** A session of nothing but answers to questions that there are; null where it is none. @param {any} one @param {Study} study @returns {Session | null} */
function checked(one, study) {
  if (typeof one?.id !== "string" || typeof one.label !== "string") return null;
  if (!["", ...study.conditions.map(({ name }) => name)].includes(one.condition ?? "")) return null;
  const session = {
    id: one.id.slice(0, 32), label: one.label.slice(0, 60), condition: one.condition ?? "", assigned: ["address", "number"].includes(one.assigned) ? one.assigned : "random",
    predict: stored(one.predict ?? {}, study.predict, choice), identify: stored(one.identify ?? {}, study.identify, choice), describe: stored(one.describe ?? {}, study.describe, words),
  };
  return session.predict && session.identify && session.describe ? /** @type {Session} */ (session) : null;
}

/** @template T @param {any} answers @param {unknown[]} questions @param {(answer: any) => T | null} read @returns {Record<number, T> | null} */
function stored(answers, questions, read) {
  if (typeof answers !== "object" || answers === null) return null;
  /** @type {Record<number, T>} */
  const valid = {};
  for (const n of questions.keys()) {
    const answer = n in answers ? read(answers[n]) : null;
    if (answer !== null) valid[n] = answer;
  }
  return valid;
}

/** @param {any} answer */
function choice(answer) {
  return answer?.choice === 0 || answer?.choice === 1 ? { choice: answer.choice, seconds: Number(answer.seconds) || 0 } : null;
}

/** @param {any} answer */
function words(answer) {
  return typeof answer?.text === "string" ? { text: answer.text.slice(0, 200), seconds: Number(answer.seconds) || 0 } : null;
}
