// @ts-check
/** The page of a user study: a start, the questions of its parts, the results. */
import { h } from "./elements.js";
import { question } from "./study-ask.js";
import { Motion } from "./study-motion.js";
import { results } from "./study-results.js";
import { Store, hasAnswers } from "./study-store.js";

/** @typedef {import("./study.js").Study} Study */
/** @typedef {import("./study.js").Part} Part */
/** @typedef {import("./study-stage.js").Stage} Stage */

const TYPING = "input, textarea, select";
const TEXTS = {
  predict: { title: "Predict the network", about: "You see a picture and what the network says of it. Then parts of it are hidden in two ways, and the network still says the same of one of these. Which one?", each: 15 },
  identify: { title: "Find the same change", about: "Two animated pictures show one change. Of two others, choose the one that shows it, too.", each: 8 },
  describe: { title: "Say what changes", about: "Four animated pictures show one change. Say in one to four words what it is.", each: 12 },
};

/** @type {Record<string, () => void>} */
let keys = {};

/** @param {import("./study-stage.js").Screen} screen */
function show(screen) {
  keys = screen.keys;
  document.querySelector("main")?.remove();
  document.body.append(screen.element);
  scrollTo(0, 0);
  (screen.focus ?? screen.element.querySelector("h1"))?.focus();
}

/** @param {Stage} stage */
function home(stage) {
  const { store } = stage;
  const { study } = store;
  const name = h("input", { type: "text", id: "label", maxlength: 60, autocomplete: "off" });
  name.value = store.session.label;
  name.onchange = () => { store.session.label = name.value.trim(); store.save(); };
  const next = h("button", { type: "button", class: "quiet" }, "Somebody else answers on this device");
  next.onclick = () => { store.begin(); stage.home(); };
  const ready = store.sessions.some(hasAnswers) && store.parts.some((part) => finished(store, part)) || store.sessions.some((one) => one !== store.session && hasAnswers(one));
  const score = h("button", { type: "button" }, "See the results");
  score.onclick = stage.results;
  const hasQuestions = store.parts.length > 0;
  const [title, about] = introduction(study);
  return { keys: {}, element: h("main", { class: "home" }, h("p", { class: "name" }, study.title), h("h1", { tabindex: -1 }, title), h("p", {}, about), store.problem && h("p", { class: "alert" }, store.problem),
    hasQuestions ? h("div", { class: store.parts.length > 1 ? "parts" : "parts one" }, ...store.parts.map((part, i) => start(stage, part, i))) : h("p", { class: "alert" }, "This run found no attributes with enough example images and drew no questions about predictions, so there is nothing to ask."),
    study.left_out.length > 0 && h("p", { class: "note" }, `Not asked about, because there are fewer than two attributes with three example images each: ${study.left_out.join(", ")}.`),
    ...study.notes.map((note) => h("p", { class: "note" }, `${note}.`)),
    hasQuestions && h("p", { class: "line" }, h("label", { for: "label" }, "Your initials or a number, if you like"), name),
    hasQuestions && h("p", { class: "line" }, ready && score, hasAnswers(store.session) && next),
    h("p", { class: "note" }, store.lasting ? "Your answers stay in this browser until you download them. This page sends nothing and asks the network for nothing." : "This browser keeps nothing for this page: download your answers before you close it. This page sends nothing.")) };
}

/** Heading and purpose. @param {Study} study @returns {[string, string]} */
function introduction({ predict, identify, describe }) {
  const attributes = "A program has found changes of pictures that change what an image classifier says. Your answers tell whether a person can see what these changes are.";
  const prediction = "A neural network says what is in a picture. Your answers tell how well a person can say beforehand what it makes of a picture of which it sees only parts.";
  if (!predict.length) return ["Do these changes make sense?", attributes];
  if (!identify.length && !describe.length) return ["Can you predict the network?", prediction];
  return ["Can you follow the network?", `${prediction} ${attributes}`];
}

/** What the participant sees beside the picture. @param {Store} store */
function seen({ session }) {
  return session.condition ? `You also see an explanation of its answer (${session.condition}).` : "You see no explanation of its answer.";
}

/** @param {Store} store @param {Part} part */
function finished(store, part) {
  return store.study[part].length > 0 && store.next(part) === store.study[part].length;
}

/** @param {Stage} stage @param {Part} part @param {number} i */
function start(stage, part, i) {
  const { store } = stage;
  const [total, done] = [store.study[part].length, store.answered(part)];
  const { title, about, each } = TEXTS[part];
  const minutes = Math.max(1, Math.round((each * total) / 60));
  const go = h("button", { type: "button", class: "primary", disabled: done === total }, done === 0 ? "Start" : done < total ? "Go on" : "Done");
  go.onclick = () => stage.ask(part, store.next(part));
  return h("section", {}, store.parts.length > 1 && h("p", { class: "place" }, `Part ${i + 1}`), h("h2", {}, title), h("p", {}, about, part === "predict" && ` ${seen(store)}`),
    h("p", { class: "note" }, done ? `${done} of ${total} answered` : `${total} questions, about ${minutes} minute${minutes === 1 ? "" : "s"}`), go);
}

/** @param {KeyboardEvent} event */
function press(event) {
  const target = event.target instanceof Element ? event.target : document.body;
  const act = keys[event.key];
  if (!act || event.altKey || event.ctrlKey || event.metaKey || target.closest(TYPING) || (event.key === " " && target.closest("button, summary, a, .scroller"))) return;
  event.preventDefault();
  act();
}

/** @type {Study} */
const study = JSON.parse(document.getElementById("document")?.textContent ?? "{}");
/** @type {Stage} */
const stage = {
  store: new Store(study, location.search), motion: new Motion(),
  ask: (part, n) => show(question(stage, part, n)), home: () => show(home(stage)), results: () => show(results(stage)),
};
document.addEventListener("keydown", press);
stage.home();
document.documentElement.dataset.ready = "true";
