// @ts-check
/** Moving between images: thumbnails, and the arrow keys. */
import { h } from "./elements.js";
import { unfold } from "./fold.js";

/** @typedef {import("./document.js").Report} Report */

const BAR = 120; // pixels: the bar and a little more
const SIGHT = 0.4; // share of the window's height at which a card counts as in sight
const OWN_ARROWS = "input, select, textarea, [contenteditable], .scroller, .film, pre";

/**
 * The bar that stays in sight: a thumbnail for each image, and how strongly heatmaps cover the images.
 * @param {Report} report
 * @param {HTMLElement[]} cards
 * @param {(opacity: number) => void} cover
 */
export function bar(report, cards, cover) {
  const links = report.images.map((card, i) => h("a", { href: `#image-${i + 1}`, "aria-label": `Image ${i + 1}: ${card.question}`, title: card.question },
    h("img", { src: card.picture.src, width: 40, height: 40, alt: "", class: card.picture.crisp ? "crisp" : "" })));
  const slider = h("input", { type: "range", min: 0, max: 100, value: 85, "aria-label": "Opacity of heatmaps and differences" });
  slider.oninput = () => cover(Number(slider.value) / 100);
  follow(cards, links);
  return h("nav", { class: "bar", "aria-label": "Images" }, h("div", { class: "thumbnails" }, ...links), h("label", { class: "opacity" }, h("span", {}, "Overlay"), slider));
}

/**
 * Mark the link of the card in sight, and at once that of a card that gets the focus. Entries of the observer may come late
 * and out of date, so they only say that it is time to look.
 * @param {HTMLElement[]} cards
 * @param {HTMLAnchorElement[]} links
 */
function follow(cards, links) {
  const look = () => mark(links, cards.findLastIndex((card) => card.getBoundingClientRect().top < SIGHT * innerHeight));
  const observer = new IntersectionObserver(look, { rootMargin: `-${100 * SIGHT}% 0px -${100 - 100 * SIGHT}% 0px` });
  for (const [i, card] of cards.entries()) {
    observer.observe(card);
    card.addEventListener("focusin", () => mark(links, i));
  }
}

/** @param {HTMLAnchorElement[]} links @param {number} current */
function mark(links, current) {
  for (const [i, link] of links.entries()) {
    if (i !== current) link.removeAttribute("aria-current");
    else link.setAttribute("aria-current", "true");
  }
  const [link, strip] = [links[current], links[current]?.parentElement];
  if (link && strip) strip.scrollLeft = link.offsetLeft - strip.offsetLeft - strip.clientWidth / 2;
}

/** Left and right go to the image before and after, except where these keys already do something. @param {HTMLElement[]} cards */
export function arrowKeys(cards) {
  document.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (target.closest(OWN_ARROWS)) return;
    const next = cards[current(cards, target) + step];
    if (!next) return;
    event.preventDefault();
    unfold(next);
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "start" });
  });
}

/**
 * The card that holds the focus, else the one that the window begins in; -1 above the first.
 * @param {HTMLElement[]} cards
 * @param {Element} target
 */
function current(cards, target) {
  const held = cards.findIndex((card) => card.contains(target));
  if (held >= 0) return held;
  return cards.findLastIndex((card) => card.getBoundingClientRect().top < BAR);
}
