// @ts-check
/** Registry of kinds with a section of their own, which blocks cannot show in full; all others are drawn by their blocks. */
import { tileOfBlocks } from "./blocks.js";

/** @typedef {import("./document.js").Card} Card */
/** @typedef {import("./document.js").Report} Report */

/**
 * One explanation of an image on its card.
 * @typedef {object} Tile
 * @property {(Node | null)[]} body
 * @property {number} span columns; 0 is a whole row
 * @property {string} note below the title
 */

/**
 * @typedef {object} Section
 * @property {(entry: any, card: Card, report: Pick<Report, "task" | "exemplars">) => Tile} tile
 * @property {(entry: any, card: Card) => Node | null} [map] the small picture of the table "at a glance"
 * @property {string} [legend] of these pictures
 */

/** @type {Map<string, Section>} */
const sections = new Map();

/**
 * Draw a kind of entry by a section of its own.
 * @param {string} kind
 * @param {Section} section
 */
export function register(kind, section) {
  sections.set(kind, section);
}

/** The section of a kind. @param {string} kind @returns {Section} */
export function sectionOf(kind) {
  return sections.get(kind) ?? { tile: tileOfBlocks };
}
