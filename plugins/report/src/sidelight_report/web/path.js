// @ts-check
import { DataElement, define, h } from "./elements.js";
import { percent } from "./numbers.js";
import { legend, plot } from "./plot.js";

/** @typedef {import("./document.js").PathEntry} PathEntry */
/** @typedef {import("./document.js").ClassEntry} ClassEntry */

/**
 * The path of a search: images along it above the likelihood of each class, on one axis.
 * @extends {DataElement<{ path: PathEntry, classes: ClassEntry[], name: string }>}
 */
export class SlPath extends DataElement {
  /** @param {{ path: PathEntry, classes: ClassEntry[], name: string }} data */
  draw({ path, classes, name }) {
    const frames = path.frames ?? [];
    const places = path.steps.map((_, i) => i);
    const others = classes.filter(({ part }) => part === "other");
    const lines = classes.map((entry, i) => ({
      name: entry.name,
      style: entry.part === "other" ? `other other-${others.indexOf(entry) % 4}` : entry.part,
      x: places,
      y: path.likelihoods[i] ?? [],
    }));
    const steps = `${path.steps[0]} to ${path.steps.at(-1)}`;
    const chart = plot({
      lines, label: `Likelihood of each class along the search of ${name}, steps ${steps}`, yRange: [0, 1], yText: percent,
      inset: frames.length ? 0.5 / frames.length : 0, xTitle: "step of the search", xLabels: false,
    });
    const strip = h("ol", { class: "strip", "aria-label": `Images along the search of ${name}` }, ...frames.map((frame) => this.#frame(frame)));
    this.classList.toggle("named-steps", path.names !== undefined);
    if (path.names) this.style.setProperty("--frames", String(frames.length));
    strip.style.gridTemplateColumns = `repeat(${frames.length}, 1fr)`;
    const film = h("div", { class: "film", tabindex: 0, role: "group", "aria-label": `Search of ${name}` }, frames.length ? strip : null, chart);
    this.append(film, legend(lines));
  }

  /** @param {import("./document.js").PathFrame} frame */
  #frame({ at, picture }) {
    const { src, width, height, crisp } = picture;
    const { names, steps } = this.data.path;
    const step = names ? names[at] || "start" : `${steps[at] ?? at}`;
    return h("li", {}, h("img", { src, width, height, class: crisp ? "crisp" : "", alt: names ? step : `step ${step}` }), h("span", { "aria-hidden": "true" }, names && at ? `+ ${step}` : step));
  }
}

define("sl-path", SlPath);
