// @ts-check
/** Comma-separated values that a spreadsheet opens without running anything. */

/** @param {(string | number)[][]} rows */
export function csv(rows) {
  return rows.map((row) => row.map(quoted).join(",")).join("\r\n");
}

/** Spreadsheets run what begins like a formula: such text gets an apostrophe in front. @param {string | number} value */
function quoted(value) {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
