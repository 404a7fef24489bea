// @ts-check
/** A name that can be changed where it stands: a press opens a field; Enter keeps it, Escape leaves it. */
import { button, h } from "./dom.js";

const LONGEST = 200;

/**
 * @param {string} what is renamed, for those who hear the page
 * @param {() => string} name as it is shown now
 * @param {(name: string) => void} keep called with another name, empty for none of one's own
 */
export function rename(what, name, keep) {
  const element = h("span", { class: "rename" });
  const label = button("", () => edit(), { class: "quiet name", title: "Rename" });
  element.append(label);

  const edit = () => {
    const input = h("input", { type: "text", maxlength: LONGEST, value: name(), "aria-label": `Name of ${what}` });
    let closed = false;
    /** @param {boolean} kept */
    const close = (kept) => {
      if (closed) return;
      closed = true; // taking the field away blurs it, which would close it again
      const focused = document.activeElement === input;
      const text = input.value.trim();
      input.replaceWith(label);
      if (focused) label.focus({ preventScroll: true });
      if (kept && text !== name()) keep(text);
    };
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== "Escape") return;
      event.preventDefault(); // the name has the focus next, and Enter would press it
      close(event.key === "Enter");
    });
    input.addEventListener("blur", () => close(true));
    label.replaceWith(input);
    input.select();
    input.focus();
  };
  const show = () => {
    label.textContent = name();
    label.setAttribute("aria-label", `Rename ${name()}`);
  };
  return { element, edit, show };
}

/** A star that is on or off. @param {() => void} press */
export function star(press) {
  const element = button("", press, { class: "quiet star" });
  /** @param {boolean} on @param {string} name */
  const show = (on, name) => {
    element.textContent = on ? "★" : "☆";
    element.setAttribute("aria-pressed", String(on));
    element.setAttribute("aria-label", `Star ${name}`);
    element.title = on ? "Among the first; press to put it back" : "Put it among the first";
  };
  return { element, show };
}
