// @ts-check
/** The whole session in the page's address, so that it can be kept, sent and gone back to. */

/** @typedef {import("./types.js").Document} Document */
/** @typedef {import("./types.js").View} View */

/**
 * @param {Document} doc
 * @param {View} view
 */
export async function toFragment(doc, view) {
  const packed = await through(new Blob([JSON.stringify({ doc, view })]), new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await packed.arrayBuffer());
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return `view=${view.tab}&s=${btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")}`;
}

/**
 * What an address holds, not yet checked; `null` where it holds no session.
 * @param {string} fragment
 * @returns {Promise<{ doc: unknown, view: Partial<View> } | null>}
 */
export async function fromFragment(fragment) {
  const match = /[#&]s=([\w-]+)/.exec(fragment);
  if (!match?.[1]) return null;
  try {
    const text = atob(match[1].replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
    return JSON.parse(await (await through(new Blob([bytes]), new DecompressionStream("deflate-raw"))).text());
  } catch {
    return null;
  }
}

/** The view that an address names, also one without a session. @param {string} fragment @returns {string | undefined} */
export function tabOf(fragment) {
  return /[#&]view=([a-z]+)/.exec(fragment)?.[1];
}

/** @param {Blob} blob @param {CompressionStream | DecompressionStream} stream */
function through(blob, stream) {
  return new Response(blob.stream().pipeThrough(stream)).blob();
}
