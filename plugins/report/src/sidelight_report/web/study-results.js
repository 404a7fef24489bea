// @ts-check
/** Results: predictions by condition, confusion of attributes (table 2), and words that descriptions share. */
import { h } from "./elements.js";
import { csv, download, json } from "./study-files.js";
import { predictions } from "./study-predicted.js";
import { between, coherence, common, correct, descriptions } from "./study-score.js";
import { deviation, share, whiskers } from "./study-share.js";
import { hasAnswers } from "./study-store.js";

/** @typedef {import("./study-stage.js").Stage} Stage */
/** @typedef {import("./study.js").Session} Session */
/** @typedef {import("./study.js").Study} Study */
/** @typedef {import("./study-score.js").Share} Share */

/** @param {Stage} stage @returns {import("./study-stage.js").Screen} */
export function results(stage) {
  const { store, motion } = stage;
  const stop = motion.reset();
  const own = store.session;
  const sessions = [own, ...store.sessions.filter((session) => session.id !== own.id && hasAnswers(session))];
  const home = h("button", { type: "button", class: "quiet" }, "Back to the start");
  home.onclick = stage.home;
  const element = h("main", { class: "results" }, h("header", {}, home, store.study.animations.length > 0 && stop), h("h1", { tabindex: -1 }, "Results"),
    h("p", { class: "note" }, people(sessions)), h("p", { class: "line" }, ...downloads(stage, sessions), opener(stage)),
    predictions(stage, sessions, store.numbered("predict", "can people predict the network?", ":")), confused(stage, sessions), worded(stage, sessions));
  return { element, keys: { " ": () => motion.toggle() } };
}

/** @param {Session[]} sessions */
function people(sessions) {
  const others = sessions.length - 1;
  return others ? `Your answers and those of ${others} other ${others === 1 ? "person" : "people"}.` : "Your answers. Open the files of other people to see all together.";
}

/** @param {Stage} stage @param {Session[]} sessions */
function downloads({ store: { study, session } }, sessions) {
  const own = h("button", { type: "button", class: "primary" }, "Download my answers (JSON)");
  own.onclick = () => download(`study-${study.study}-${session.label || session.id}.json`, "application/json", json(study, session));
  const all = h("button", { type: "button" }, "Download all as a table (CSV)");
  all.onclick = () => download(`study-${study.study}.csv`, "text/csv", csv(study, sessions));
  return [own, all];
}

/** Opens files of other people's answers. @param {Stage} stage */
function opener(stage) {
  const field = h("input", { type: "file", accept: ".json,application/json", multiple: true, id: "files" });
  const status = h("output", { class: "alert", "aria-live": "polite" });
  field.onchange = async () => {
    const refused = [];
    for (const file of field.files ?? []) {
      const why = file.size > 1_000_000 ? "it is too large" : stage.store.add(await file.text());
      if (why) refused.push(`${file.name}: ${why}`);
    }
    if (refused.length) status.textContent = `Not added: ${refused.join("; ")}.`;
    else stage.results();
  };
  return h("span", { class: "opener" }, h("label", { for: "files" }, "Add other people's files"), field, status);
}

/** Attributes told apart. @param {Stage} stage @param {Session[]} sessions */
function confused(stage, sessions) {
  const { study } = stage.store;
  const answered = sessions.some(({ identify }) => Object.keys(identify).length);
  if (!answered) return null;
  const rows = study.finders.map((finder, f) => {
    const [own, all] = [sessions.slice(0, 1), sessions].map((who) => correct(study, who, (question) => question.finder === f));
    return h("tr", {}, h("th", { scope: "row" }, finder.name, finder.paper && h("small", {}, finder.paper)), h("td", {}, share(own)), h("td", { class: "wide" }, whiskers(all)), h("td", {}, deviation(between(study, sessions, f))));
  });
  return h("section", {}, h("h2", {}, stage.store.numbered("identify", "are the attributes distinct and coherent?", ":")),
    h("p", { class: "note" }, "Share of right answers; guessing gives one half. The line is Wilson's 95 % interval over all answers, as if they were independent."),
    h("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": "Accuracy" }, h("table", {}, h("thead", {}, h("tr", {}, ...["Attributes of", "You", "Everybody", "Between people"].map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, ...rows))),
    ...study.finders.map((_, f) => confusion(stage, sessions, f)));
}

/** Confusion counts of attributes, out of the questions that offered both. @param {Stage} stage @param {Session[]} sessions @param {number} f */
function confusion({ store: { study }, motion }, sessions, f) {
  const attributes = study.finders[f]?.attributes ?? [];
  if (!study.identify.some(({ finder }) => finder === f)) return null;
  const rows = attributes.map((_, i) => {
    const cells = attributes.map((__, j) => wrong(correct(study, sessions, (question) => question.finder === f && question.attribute === i && question.other === j), i === j));
    const all = correct(study, sessions, (question) => question.finder === f && question.attribute === i);
    return h("tr", {}, h("th", { scope: "row" }, known(study, f, i, motion)), h("td", {}, share(all)), ...cells);
  });
  return h("section", {}, h("h3", {}, `Taken for each other: ${study.finders[f]?.name}`),
    h("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": "Confusion" },
      h("table", { class: "confusion" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Shown"), h("th", { scope: "col" }, "Right"), ...attributes.map((one, j) => h("th", { scope: "col", title: one.name }, `for ${j + 1}`)))), h("tbody", {}, ...rows))));
}

/** @param {Share} result @param {boolean} same */
function wrong({ right, of }, same) {
  if (same || !of) return h("td", { class: "none" }, same ? "" : "·");
  const cell = h("td", { class: right < of ? "taken" : "" }, `${of - right} of ${of}`);
  cell.style.setProperty("--share", `${Math.round((70 * (of - right)) / of)}%`);
  return cell;
}

/** An attribute, now with its name. @param {Study} study @param {number} f @param {number} i @param {import("./study-motion.js").Motion} motion */
function known(study, f, i, motion) {
  const one = study.finders[f]?.attributes[i];
  const at = study.describe.find(({ finder, attribute }) => finder === f && attribute === i)?.pictures[0];
  return h("span", { class: "known" }, at === undefined ? null : motion.picture(study.animations[at], ""),
    h("span", {}, `${i + 1} ${one?.name}`, h("small", {}, `towards “${one?.class}”`), one?.flagged && h("small", { class: "alert" }, `flagged: ${one.flagged}`)));
}

/** Attributes named. @param {Stage} stage @param {Session[]} sessions */
function worded(stage, sessions) {
  const { store: { study }, motion } = stage;
  if (!sessions.some(({ describe }) => Object.keys(describe).length)) return null;
  const parts = study.finders.map((finder, f) => {
    const written = finder.attributes.map((_, i) => descriptions(study, sessions, f, i));
    const result = written.map(common);
    const rows = finder.attributes.map((_, i) => h("tr", {}, h("th", { scope: "row" }, known(study, f, i, motion)), h("td", {}, shared(result[i])),
      h("td", {}, (written[i] ?? []).map((text) => text ? `“${text}”` : "(no change seen)").join(", ") || "–")));
    return h("section", {}, h("h3", {}, finder.name), h("p", {}, verdict(result)), h("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": `Descriptions, ${finder.name}` },
      h("table", {}, h("thead", {}, h("tr", {}, ...["Attribute", "Most common word", "Descriptions"].map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, ...rows))));
  });
  return h("section", {}, h("h2", {}, stage.store.numbered("describe", "what people call them", ":")),
    h("p", { class: "note" }, "The word that most descriptions of an attribute share. A plural counts as its singular; articles, prepositions, and words such as “more” or “changes” are left out."), ...parts);
}

/** @param {ReturnType<typeof common> | undefined} result */
function shared(result) {
  if (!result || result.of < 2) return "–";
  if (!result.words.length) return "none";
  const named = result.words.slice(0, 3).map((word) => `“${word}”`).join(" or ");
  return h("span", {}, h("b", {}, named), h("small", {}, result.in === result.of ? ` in all ${result.of}` : ` in ${result.in} of ${result.of}`));
}

/** @param {ReturnType<typeof common>[]} result */
function verdict(result) {
  const { of, shared: all, pairs } = coherence(result);
  if (!of) return "Two people are needed to see whether they use the same words.";
  return `${all} of ${of} attributes have a word that all their descriptions share. ${pairs ? `${pairs} ${pairs === 1 ? "pair of attributes has" : "pairs of attributes have"} the same most common word.` : "No two attributes have the same most common word."}`;
}
