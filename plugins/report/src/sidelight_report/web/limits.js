// @ts-check
/** What may not be claimed: of all methods on the first screen, and of one method beside its results. */
import { h } from "./elements.js";

/** @typedef {import("./document.js").Limit} Limit */

const SHOWN = 2; // limits of the first screen; the others unfold
const NAMED = 3; // methods that a limit names; more are counted

/** Limits of all methods, those that hold for most first. @param {Limit[]} list */
export function limitsOfAll(list) {
  if (!list.length) return null;
  const items = list.map(({ text, of }) => h("li", {}, text, " ", h("small", {}, named(of))));
  const more = items.slice(SHOWN);
  return h("div", { class: "claims", id: "limits" }, h("h2", {}, "What may not be claimed"), h("ul", {}, ...items.slice(0, SHOWN)),
    more.length > 0 && h("details", { class: "more-limits" }, h("summary", {}, `${more.length} more`), h("ul", {}, ...more)));
}

/** Limits of one method, folded; null where it declares none. @param {string[]} texts */
export function limitsOf(texts) {
  if (!texts.length) return null;
  return h("details", { class: "limits" }, h("summary", {}, "What may not be claimed"), h("ul", {}, ...texts.map((text) => h("li", {}, text))));
}

/** `cdeepex, xgems`. @param {string[]} ids */
function named(ids) {
  const [first, more] = [ids.slice(0, NAMED), ids.length - NAMED];
  return `${first.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
