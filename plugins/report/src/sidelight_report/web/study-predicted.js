// @ts-check
/** Results of the predictions: right answers by condition, with an explanation against without, and every question. */
import { h } from "./elements.js";
import { percent } from "./numbers.js";
import { differenceInterval, predicted, spread } from "./study-score.js";
import { deviation, share, whiskers } from "./study-share.js";
import { picture } from "./study-predict.js";

/** @typedef {import("./study.js").Session} Session */
/** @typedef {import("./study.js").Study} Study */
/** @typedef {import("./study-stage.js").Stage} Stage */

/** @param {Stage} stage @param {Session[]} sessions everybody, the participant first @param {string} title */
export function predictions({ store: { study, session } }, sessions, title) {
  const answered = sessions.filter((one) => Object.keys(one.predict).length);
  if (!answered.length) return null;
  const rows = ["", ...study.conditions.map(({ name }) => name)].map((condition) => {
    const people = answered.filter((one) => one.condition === condition);
    const own = session.condition === condition ? predicted(study, [session]) : undefined;
    const all = predicted(study, people);
    const paper = study.conditions.find(({ name }) => name === condition)?.paper;
    return h("tr", {}, h("th", { scope: "row" }, condition || "no explanation", paper && h("small", {}, paper)), h("td", {}, share(own)), h("td", { class: "wide" }, whiskers(all)),
      h("td", {}, deviation(spread(people.map((one) => predicted(study, [one]))))), h("td", {}, all.of ? all.seconds.toFixed(1) : "–"));
  });
  const differences = study.conditions.map(({ name }) => difference(study, answered, name));
  return h("section", { class: "predicted" }, h("h2", {}, title),
    h("p", { class: "note" }, "Share of right answers; guessing gives one half. The line is Wilson's 95 % interval over all answers, as if they were independent."),
    h("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": "Right predictions" }, h("table", {}, h("thead", {}, h("tr", {}, ...["Explanation", "You", "Everybody", "Between people", "Seconds"].map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, ...rows))),
    ...differences, session.predict && Object.keys(session.predict).length ? review(study, session) : null);
}

/** @param {Study} study @param {Session[]} sessions @param {string} condition */
function difference(study, sessions, condition) {
  const [one, other] = [condition, ""].map((wanted) => predicted(study, sessions.filter((session) => session.condition === wanted)));
  if (!one?.of || !other?.of) return null;
  const [low, high] = differenceInterval(one, other);
  return h("p", {}, h("b", {}, condition), ` against no explanation: ${points(one.right / one.of - other.right / other.of)} points (${points(low)} to ${points(high)}, 95 %).`);
}

/** @param {number} value */
function points(value) {
  const rounded = Math.round(100 * value);
  return `${rounded > 0 ? "+" : rounded < 0 ? "−" : ""}${Math.abs(rounded)}`;
}

/** Its answer to a version, and the probability of the class of the whole picture. @param {import("./study.js").Predict} question @param {number} i @param {string} target */
function said({ answers, probabilities, correct }, i, target) {
  return i === correct ? `“${answers[i]}” (${percent(probabilities[i])})` : `“${answers[i]}” (${target}: ${percent(probabilities[i])})`;
}

/** What the network said, question by question. @param {Study} study @param {Session} session */
function review(study, session) {
  const rows = study.predict.flatMap((question, n) => {
    const answer = session.predict[n];
    const image = study.images[question.image];
    if (!answer || !image) return [];
    const versions = question.versions.map((version, i) => h("td", {}, h("figure", { class: i === question.correct ? "kept" : null }, picture(version), h("figcaption", {}, said(question, i, image.class)))));
    return [h("tr", {}, h("th", { scope: "row" }, `${n + 1}`, h("small", {}, image.class, ` ${percent(image.probability)}`)), ...versions, h("td", {}, h("b", {}, answer.choice === question.correct ? "right" : "wrong")))];
  });
  return h("details", { class: "review" }, h("summary", {}, "What the network said"),
    h("p", { class: "note" }, "Below each version stands what the network says of it, with the probability of the class of the whole picture; the version that keeps the class is framed."),
    h("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": "The network's answers" }, h("table", {}, h("thead", {}, h("tr", {}, ...["Question", "Version 1", "Version 2", "You"].map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, ...rows))));
}
