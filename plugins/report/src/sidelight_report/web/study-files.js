// @ts-check
/** Answers as files, made in the browser. */
import { outer } from "./study-assignment.js";

/** @typedef {import("./study.js").Study} Study */
/** @typedef {import("./study.js").Session} Session */

const COLUMNS = ["study", "participant", "part", "question", "finder", "attribute", "name", "class", "other", "answer", "correct", "seconds", "condition", "image"];

/** One person's answers, as this page reads them again. @param {Study} study @param {Session} session */
export function json(study, session) {
  return `${JSON.stringify({ study: study.study, title: study.title, session }, null, 1)}\n`;
}

/** Everybody's answers, a row for each. @param {Study} study @param {Session[]} sessions */
export function csv(study, sessions) {
  const rows = sessions.flatMap((session) => [...predictions(study, session), ...chosen(study, session), ...described(study, session)].map((row) => [study.study, session.label || session.id, ...row]));
  return [COLUMNS, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

/** @param {Study} study @param {Session} session */
function predictions(study, session) {
  return study.predict.flatMap(({ image, correct }, n) => {
    const answer = session.predict[n];
    const { id = "", class: target = "" } = study.images[image] ?? {};
    return answer ? [["predict", n + 1, "", "", "", target, "", answer.choice + 1, answer.choice === correct ? 1 : 0, answer.seconds.toFixed(1), outer(session.condition), id]] : [];
  });
}

/** @param {Study} study @param {Session} session */
function chosen(study, session) {
  return study.identify.flatMap((question, n) => {
    const answer = session.identify[n];
    if (!answer) return [];
    const pair = [question.attribute, question.other].map((i) => `${i + 1}`);
    const picked = answer.choice === question.correct;
    return [["identify", n + 1, ...about(study, question), pair[1], picked ? pair[0] : pair[1], picked ? 1 : 0, answer.seconds.toFixed(1), "", ""]];
  });
}

/** @param {Study} study @param {Session} session */
function described(study, session) {
  return study.describe.flatMap((question, n) => {
    const answer = session.describe[n];
    return answer ? [["describe", n + 1, ...about(study, question), "", answer.text, "", answer.seconds.toFixed(1), "", ""]] : [];
  });
}

/** @param {Study} study @param {{ finder: number, attribute: number }} question */
function about(study, { finder, attribute }) {
  const source = study.finders[finder];
  const { name = "", class: target = "" } = source?.attributes[attribute] ?? {};
  return [source?.name ?? "", attribute + 1, name, target];
}

/** A cell that no spreadsheet takes for a formula. @param {unknown} value */
function cell(value) {
  const text = `${value ?? ""}`;
  const safe = /^[=+@\t\r-]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Hand a text over as a file. @param {string} name @param {string} type @param {string} text */
export function download(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
