// @ts-check
/** The document that Python writes into the page (sidelight_bench/page.py). */

/** @typedef {(number | boolean | null)[] | { of: number[] }} Column */
/** @typedef {{ rows: number, columns: Record<string, Column>, texts: string[] }} Table */
/** @typedef {Record<string, any>} Row heading to value; texts are strings, "" where there is none */

export const ALL = "all";

/**
 * Rows of a table.
 * @param {Table} table
 * @returns {Row[]}
 */
export function rowsOf({ rows, columns, texts }) {
  const entries = Object.entries(columns);
  return Array.from({ length: rows }, (_, index) => Object.fromEntries(entries.map(([name, column]) => (
    [name, Array.isArray(column) ? column[index] : texts[/** @type {number} */ (column.of[index])]]
  ))));
}

/**
 * Distinct values in the order in which they come.
 * @param {Row[]} rows
 * @param {string} name
 * @returns {any[]}
 */
export function distinct(rows, name) {
  return [...new Set(rows.map((row) => row[name]))];
}

/**
 * Two significant digits, or a dot where there is no number.
 * @param {number | null | undefined} value
 */
export function number(value) {
  if (value === null || value === undefined) return "·";
  if (Math.abs(value) >= 100) return String(Math.round(value));
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);
}
