// @ts-check
/** The three views of the page: explore, test, compare. The chosen one is kept in the address. */
import { button, h } from "./dom.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./types.js").Tab} Tab */

const NAMES = /** @type {[Tab, string, string][]} */ ([
  ["explore", "Explore", "Change one thing in an image and see the score (1)"],
  ["test", "Test", "Do the same to many images, beside random edits (2)"],
  ["compare", "Compare", "Two pinned images and their scores (3)"],
]);
export const TABS = NAMES.map(([tab]) => tab);

/** @param {App} app @param {Element} panel what the tabs switch; CSS hides the parts of the others */
export function tabs(app, panel) {
  panel.setAttribute("role", "tabpanel");
  panel.id = "view";
  const buttons = NAMES.map(([tab, name, title]) => button(name, () => app.look({ tab }), { role: "tab", id: `tab-${tab}`, "data-tab": tab, "aria-controls": "view", title }));
  const element = h("div", { class: "tabs", role: "tablist", "aria-label": "Views" }, ...buttons);
  element.addEventListener("keydown", ({ key }) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    const next = step && buttons[(TABS.indexOf(app.view.tab) + step + TABS.length) % TABS.length];
    if (!next) return;
    next.click();
    next.focus();
  });
  panel.addEventListener("toggle", ({ target }) => {
    if (target instanceof HTMLDetailsElement && target.matches(".test-form") && target.open && app.view.tab === "explore") app.look({ tab: "test" });
  }, true); // it does not bubble

  const show = () => {
    document.documentElement.dataset.tab = app.view.tab;
    panel.setAttribute("aria-labelledby", `tab-${app.view.tab}`);
    const counts = { explore: 0, test: app.doc.notes.length, compare: app.view.pins.length };
    for (const [index, [tab, name]] of NAMES.entries()) {
      const one = buttons[index];
      if (!one) continue;
      const text = counts[tab] ? `${name} (${counts[tab]})` : name;
      if (one.textContent !== text) one.textContent = text;
      one.setAttribute("aria-selected", String(tab === app.view.tab));
      one.tabIndex = tab === app.view.tab ? 0 : -1;
    }
  };
  return { element, show };
}
