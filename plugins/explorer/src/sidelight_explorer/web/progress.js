// @ts-check
/** A line for work under way: how far it is, and a button that stops it. */
import { button, h } from "./dom.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./types.js").Job} Job */

const SURE = 3000; // milliseconds until the time to come is said

/** @param {number} seconds */
function duration(seconds) {
  return seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` : `${Math.round(seconds / 60)} min`;
}

/** @param {App} app @param {Element} list @param {string} label */
export function follow(app, list, label) {
  const bar = h("progress", { "aria-label": label });
  const text = h("span", {}, label);
  let id = "";
  let [phase, began, first] = ["", 0, 0];
  const stop = button("Cancel", () => { if (id) void app.tell(app.backend.cancel(id)); });
  const line = h("li", {}, text, bar, stop);
  list.append(line);
  /** @param {Job} job */
  const notify = (job) => {
    id = job.id;
    text.textContent = job.state === "waiting" ? `${label}: waiting` : `${label}${job.doing ? `: ${job.doing}` : ""}`;
    if (!job.total) return;
    [bar.max, bar.value] = [job.total, job.done];
    if (job.doing !== phase) [phase, began, first] = [job.doing, performance.now(), job.done];
    const left = (performance.now() - began) / Math.max(1, job.done - first) * (job.total - job.done) / 1000;
    if (performance.now() - began > SURE && job.done > first && job.done < job.total) text.textContent += `, about ${duration(left)} to come`;
  };
  return { notify, end: () => line.remove() };
}
