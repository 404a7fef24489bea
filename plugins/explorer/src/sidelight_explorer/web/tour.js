// @ts-check
/** A tour of four steps, shown once to each browser; it stands inside the parts that it is about and covers nothing. */
import { button, h } from "./dom.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./types.js").Tab} Tab */

const SEEN = "sidelight-explorer-tour";
const YEAR = 31_536_000; // seconds
/** @type {[tab: Tab, place: string, text: string][]} */
const STEPS = [
  ["explore", ".gallery-panel", "These are images that the generator can draw, sorted by the classifier's score. Select one."],
  ["explore", ".attributes-panel", "Change one thing: move a slider here, or press a cell of the style matrix, which puts a style into some layers. Before and after stand side by side with both scores."],
  ["test", ".notes-panel", "Write down what you think the score depends on, and test it: the same edit is done to many images, beside random edits of equal size."],
  ["explore", ".masthead", "Undo takes everything back. The address holds the whole session, and Save writes it to a file. Press ? for the keys; the tour can be had again there."],
];

/** @param {App} app @returns {() => void} begins it */
export function tour(app) {
  let step = -1;
  const text = h("p", { role: "status" });
  const count = h("strong", {});
  const [back, next, skip] = [button("Back", () => go(step - 1)), button("Next", () => go(step + 1)), button("Skip the tour", () => end(), { class: "quiet" })];
  const element = h("section", { class: "tour", "aria-label": "Tour" }, count, text, h("div", { class: "actions" }, back, next, skip));

  /** @param {number} index @param {boolean} [quiet] leave view, focus and scroll as they are */
  const go = (index, quiet = false) => {
    const [tab, place, words] = STEPS[index] ?? [];
    const target = place && document.querySelector(place);
    if (!tab || !target) {
      end();
      return;
    }
    step = index;
    if (!quiet) app.look({ tab });
    target.prepend(element);
    count.textContent = `${index + 1} of ${STEPS.length}`;
    text.textContent = words ?? "";
    [back.hidden, skip.hidden] = [index === 0, index === STEPS.length - 1];
    next.textContent = index === STEPS.length - 1 ? "Done" : "Next";
    if (quiet) return;
    next.focus({ preventScroll: true });
    requestAnimationFrame(() => target.scrollIntoView({ block: "start" }));
  };
  const end = () => {
    remember();
    if (step > 0) app.look({ tab: "explore" });
    step = -1;
    element.remove();
  };
  element.addEventListener("keydown", (event) => {
    const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") end();
    else if (way && step + way >= 0) go(step + way);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  if (!isSeen()) go(0, true);
  return () => go(0);
}

/** Served at a port of its own each time, a page on this machine remembers by a cookie, which knows no port. */
const isLocal = ["127.0.0.1", "localhost", "[::1]"].includes(location.hostname);

/** True also where a browser does not remember: a tour at every visit is one too many. */
function isSeen() {
  try {
    return localStorage.getItem(SEEN) !== null || (isLocal && document.cookie.includes(`${SEEN}=`));
  } catch {
    return true;
  }
}

function remember() {
  try {
    localStorage.setItem(SEEN, "seen");
    if (isLocal) document.cookie = `${SEEN}=seen; max-age=${YEAR}; path=/; samesite=strict`;
  } catch { /* nothing is remembered here */ }
}
