// @ts-check
/** A line for work under way: how far it is, and a button that stops it. */
import { button, h } from "./dom.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./types.js").Job} Job */

/** @param {App} app @param {Element} list @param {string} label */
export function follow(app, list, label) {
  const bar = h("progress", { "aria-label": label });
  const text = h("span", {}, label);
  let id = "";
  const stop = button("Cancel", () => { if (id) void app.tell(app.backend.cancel(id)); });
  const line = h("li", {}, text, bar, stop);
  list.append(line);
  /** @param {Job} job */
  const notify = (job) => {
    id = job.id;
    text.textContent = job.state === "waiting" ? `${label}: waiting` : `${label}${job.doing ? `: ${job.doing}` : ""}`;
    if (job.total) [bar.max, bar.value] = [job.total, job.done];
  };
  return { notify, end: () => line.remove() };
}
