// @ts-check
/** Parts of the page that fold; which of them the reader has opened or folded stands in the address, behind what it points at. */
import { h } from "./elements.js";

const KEYS = { open: true, fold: false }; // of the address: `#measurements&open=origin,image-4&fold=glance`

/**
 * A part that folds.
 * @param {string} id of the section around it, by which the address names it
 * @param {boolean} open whether it is open until the reader says otherwise
 * @param {Node} title
 * @param {...(Node | null | false)} body
 */
export function fold(id, open, title, ...body) {
  const details = h("details", { class: "part", open, "data-part": id, "data-open": String(open) }, h("summary", {}, title), ...body);
  details.addEventListener("toggle", remember);
  return details;
}

/** @returns {HTMLDetailsElement[]} */
function parts() {
  return [...document.querySelectorAll("details")].filter((details) => details.dataset.part !== undefined);
}

/** Open everything that holds an element, and what it is the section of. @param {Element | null} element */
export function unfold(element) {
  const own = element?.querySelector(":scope > details");
  if (own instanceof HTMLDetailsElement && own.dataset.part === element?.id) own.open = true;
  for (let at = element; at; at = at.parentElement) if (at instanceof HTMLDetailsElement) at.open = true;
}

/** Open or fold all parts. @param {boolean} open */
export function foldAll(open) {
  for (const details of parts()) details.open = open;
}

/** A part of an address in plain letters, or as it is where somebody has mistyped it. @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Part of the page that the address points at, and what the reader has folded. @param {string} hash */
function read(hash) {
  const [target = "", ...rest] = hash.replace(/^#/, "").split("&");
  const told = new Map(rest.map((item) => {
    const [key = "", names = ""] = item.split("=");
    return [key, names.split(",").map(decoded)];
  }));
  return { target: decoded(target), told };
}

/** What differs from how the page opens. */
function state() {
  const changed = parts().filter(({ open, dataset }) => String(open) !== dataset.open);
  const of = (/** @type {boolean} */ open) => changed.filter((details) => details.open === open).map(({ dataset }) => encodeURIComponent(dataset.part ?? "")).join(",");
  return Object.entries(KEYS).flatMap(([key, open]) => (of(open) ? [`&${key}=${of(open)}`] : [])).join("");
}

let printing = false;

/** Write the state behind the target of the address; the page moves nowhere. */
function remember() {
  if (printing) return;
  const { target } = read(location.hash);
  const hash = `#${encodeURIComponent(target)}${state()}`;
  if (hash !== (location.hash || "#")) history.replaceState(history.state, "", hash === "#" ? location.pathname + location.search : hash);
}

/** Take the state from the address, and show what it points at. */
function follow() {
  const { target, told } = read(location.hash);
  for (const [key, open] of Object.entries(KEYS)) {
    for (const name of told.get(key) ?? []) for (const details of parts()) if (details.dataset.part === name) details.open = open;
  }
  const element = target ? document.getElementById(target) : null;
  unfold(element);
  for (const pointed of document.querySelectorAll("[data-pointed]")) pointed.removeAttribute("data-pointed");
  element?.setAttribute("data-pointed", ""); // :target would be lost with the state behind it
  element?.scrollIntoView({ block: "start" });
  remember();
}

const ON_PAPER = "details.part, details.weaker, details.fold, details.more-warnings, details.more-limits, details.overview-detail"; // not the guide and the searches' paths

/** Keep address and page together; paper has every section unfolded. */
export function keepFolds() {
  follow();
  window.addEventListener("hashchange", follow);
  // a link to what the address names already, which has been folded since, is no change of the address
  document.addEventListener("click", ({ target }) => {
    const link = target instanceof Element ? target.closest("a[href^='#']") : null;
    if (link) unfold(document.getElementById(read(link.getAttribute("href") ?? "").target));
  });
  /** @type {HTMLDetailsElement[]} */
  let folded = [];
  window.addEventListener("beforeprint", () => {
    printing = true;
    folded = [...document.querySelectorAll(ON_PAPER)].flatMap((details) => (details instanceof HTMLDetailsElement && !details.open ? [details] : []));
    for (const details of folded) details.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const details of folded) details.open = false;
    setTimeout(() => { printing = false; }); // their events come later
  });
}
