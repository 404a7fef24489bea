// @ts-check
/** The answers of everybody who answered in this browser, or whose file was opened here. */

/** @typedef {import("./study.js").Study} Study */
/** @typedef {import("./study.js").Session} Session */
/** @typedef {import("./study.js").Kept} Kept */
/** @typedef {import("./study.js").Part} Part */

export const PARTS = /** @type {const} */ (["identify", "describe"]);

/** Storage of answers between visits, under the study's own key. */
export class Store {
  /** Whether answers outlive the page; some browsers keep nothing for pages on disk. */
  lasting = true;

  /** @param {Study} study */
  constructor(study) {
    this.study = study;
    this.key = `sidelight-study-${study.study}`;
    const fresh = newSession();
    /** @type {Kept} */
    this.stored = this.#read() ?? { sessions: [fresh], current: fresh.id };
  }

  get sessions() {
    return this.stored.sessions;
  }

  /** The person who is answering. @returns {Session} */
  get session() {
    const valid = this.sessions.find(({ id }) => id === this.stored.current);
    return valid ?? this.begin();
  }

  /** Somebody else answers. */
  begin() {
    const session = newSession();
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

/** @returns {Session} */
function newSession() {
  const id = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return { id, label: "", identify: {}, describe: {} };
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
  const session = { id: one.id.slice(0, 32), label: one.label.slice(0, 60), identify: stored(one.identify, study.identify, choice), describe: stored(one.describe, study.describe, words) };
  return session.identify && session.describe ? /** @type {Session} */ (session) : null;
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
