// @ts-check
/** Neutral blocks: `<sl-block>` draws any of them. */
import "./flicker.js";
import "./heatmap.js";
import "./picture.js";
import { DataElement, define, h } from "./elements.js";
import { signed } from "./numbers.js";
import { legend, plot } from "./plot.js";

/** @typedef {import("./document.js").Block} Block */
/** @typedef {import("./document.js").Card} Card */
/** @typedef {import("./document.js").Picture} Picture */

const FEW = 24; // pictures of a strip that are captioned
const SHORT = 4; // pictures of a strip, or columns of a table, that fit into two columns of a card

/**
 * A block; `picture` is the explained image, which a block may leave out.
 * @extends {DataElement<{ block: Block, picture: Picture | null }>}
 */
export class SlBlock extends DataElement {
  /** @param {{ block: Block, picture: Picture | null }} data */
  draw({ block, picture }) {
    this.className = `block block-${block.block}`;
    this.append(...body(block, picture));
    if (block.caption && block.block !== "table") this.append(h("p", { class: "note" }, block.caption));
  }
}

/** @param {Block} block @param {Picture | null} picture @returns {Node[]} */
function body(block, picture) {
  switch (block.block) {
    case "picture": return [pictured(block.picture ?? picture, block.caption || "Picture")];
    case "overlay": return [overlay(block, picture)];
    case "pair": return [pair(block, picture)];
    case "strip": return [sheet(block.pictures, block.captions)];
    case "plot": return block.style === "bar" ? bars(block) : lines(block);
    case "table": return [table(block)];
    case "text": return [h("p", {}, block.text)];
  }
}

/** @param {Picture | null} picture @param {string} label */
function pictured(picture, label) {
  if (!picture) return h("p", { class: "note" }, "no picture");
  const element = h("sl-picture");
  element.data = { picture, label };
  return element;
}

/** @param {import("./document.js").OverlayBlock} block @param {Picture | null} picture */
function overlay(block, picture) {
  const below = block.picture ?? picture;
  if (!below) return h("p", { class: "note" }, "no picture");
  const element = h("sl-heatmap");
  element.data = {
    picture: below, values: block.values, saturation: block.saturation, signed: block.signed,
    ends: block.signed ? ["", ""] : ["", "important"], label: block.caption || "Values over the image",
  };
  return element;
}

/** Side by side; holding the second picture shows the first in its place. @param {import("./document.js").PairBlock} block @param {Picture | null} picture */
function pair({ before, after, captions: [first, second], caption }, picture) {
  const start = before ?? picture;
  if (!start) return pictured(after, second);
  const flicker = h("sl-flicker");
  flicker.data = { before: start, after, names: [first, second], label: caption };
  return h("div", { class: "pair" }, h("figure", {}, h("figcaption", {}, first), pictured(start, first)), h("figure", {}, h("figcaption", {}, second), flicker));
}

/** @param {Picture[]} pictures @param {string[]} captions */
function sheet(pictures, captions) {
  const named = captions.length > 0 && pictures.length <= FEW;
  return h("ul", { class: named ? "sheet named-pictures" : "sheet" }, ...pictures.map(({ src, width, height, crisp }, i) =>
    h("li", {}, h("img", { src, width, height, class: crisp ? "crisp" : "", alt: captions[i] ?? `image ${i + 1}` }), named && h("span", { "aria-hidden": "true" }, captions[i] ?? ""))));
}

/** Lines over numbers, or over words at even steps. @param {import("./document.js").PlotBlock} block */
function lines({ x, lines: series, x_label: xTitle, y_label: title, caption }) {
  const words = x.some((value) => typeof value === "string");
  const at = x.map((value, i) => (typeof value === "number" ? value : words ? i : null));
  const drawn = series.map(({ name, y }, i) => ({ name, style: `series-${i % 8}`, x: at, y }));
  const xTicks = words ? x.map((value, i) => ({ at: i, text: String(value) })) : undefined;
  const ticks = xTicks && xTicks.length > 6 ? [xTicks[0], xTicks[xTicks.length - 1]].filter((tick) => tick !== undefined) : xTicks;
  return [...(title ? [h("p", { class: "note" }, title)] : []), plot({ lines: drawn, label: caption || title || "Plot", xTitle, xTicks: ticks }),
    ...(drawn.length > 1 ? [legend(drawn)] : [])];
}

/** Signed bars from a middle line. @param {import("./document.js").PlotBlock} block */
function bars({ x, lines: series, y_label: title, caption }) {
  return series.flatMap(({ name, y }) => {
    const largest = Math.max(...y.map((value) => Math.abs(value ?? 0)), 1e-12);
    const heading = series.length > 1 ? [name, title].filter(Boolean).join(", ") : title;
    return [...(heading ? [h("p", { class: "note" }, heading)] : []), h("ul", { class: "effects", "aria-label": caption || heading || name }, ...x.map((label, i) => {
      const value = y[i] ?? null;
      const fill = h("span", { class: `fill ${(value ?? 0) < 0 ? "less" : "more"}` });
      fill.style.width = `${(50 * Math.abs(value ?? 0)) / largest}%`;
      return h("li", {}, h("span", { class: "name", title: String(label ?? "") }, String(label ?? "")), h("span", { class: "track" }, fill), h("span", { class: "value" }, signed(value)));
    }))];
  });
}

/** @param {import("./document.js").TableBlock} block */
function table({ headings, rows, caption }) {
  return h("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": caption || headings.join(", ") }, h("table", {}, caption && h("caption", {}, caption),
    h("thead", {}, h("tr", {}, ...headings.map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, ...rows.map((cells) => h("tr", {}, ...cells.map((text) => h("td", {}, text)))))));
}

/** @param {Block[]} blocks @param {Picture | null} picture */
export function drawBlocks(blocks, picture) {
  return blocks.map((block) => {
    const element = h("sl-block");
    element.data = { block, picture };
    return element;
  });
}

/** Blocks that cannot be drawn, in words. @param {{ what: string, error: string }} entry */
export function missing({ what, error }) {
  return h("p", { class: error ? "alert" : "note" }, error ? `“${what}” cannot be shown: ${error}` : `This page has no picture for results of the kind “${what}”.`);
}

/**
 * The tile of a kind that is drawn by its blocks.
 * @param {import("./document.js").BlocksEntry} entry
 * @param {Card} card
 */
export function tileOfBlocks(entry, card) {
  if (!entry.blocks.length) return { body: [missing(entry)], span: 1, note: "" };
  const [first, ...rest] = entry.blocks;
  const span = first && !rest.length ? columns(first) : 0;
  return { body: [h("div", { class: span ? "" : "blocks" }, ...drawBlocks(entry.blocks, card.picture))], span, note: entry.side };
}

/** Columns of a card that a block by itself takes; 0 is a whole row. @param {Block} block */
function columns(block) {
  switch (block.block) {
    case "picture": case "overlay": return 1;
    case "strip": return block.pictures.length <= SHORT ? 2 : 0;
    case "table": return block.headings.length <= SHORT ? 2 : 0;
    default: return 2;
  }
}

define("sl-block", SlBlock);
