// @ts-check
/** Building the page: every text goes in as text, never as markup. */

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * An element with attributes and children. Attributes that are `false`, `null` or `undefined` are left out.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number | boolean | null | undefined>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  set(element, attributes);
  append(element, children);
  return element;
}

/**
 * An SVG element.
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number | boolean | null | undefined>} [attributes]
 * @param {...Child} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(element, attributes);
  append(element, children);
  return element;
}

/**
 * @param {Element} element
 * @param {Record<string, string | number | boolean | null | undefined>} attributes
 */
function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
}

/**
 * @param {Element} element
 * @param {Child[]} children
 */
function append(element, children) {
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
}

/**
 * A component that shows one value: setting `data` draws it, setting it again draws it anew.
 * @template T
 */
export class DataElement extends HTMLElement {
  /** @type {T | undefined} */
  #data;

  /** @returns {T} */
  get data() {
    if (this.#data === undefined) throw new Error(`<${this.localName}> has no data yet`);
    return this.#data;
  }

  set data(value) {
    this.#data = value;
    if (this.isConnected) this.#redraw();
  }

  connectedCallback() {
    if (this.#data !== undefined && !this.hasChildNodes()) this.#redraw();
  }

  #redraw() {
    this.replaceChildren();
    this.draw(this.data);
  }

  /**
   * Fill the element.
   * @param {T} _data
   */
  draw(_data) {}
}

/**
 * Make a component known under `tag`, once.
 * @param {string} tag
 * @param {CustomElementConstructor} constructor
 */
export function define(tag, constructor) {
  if (!customElements.get(tag)) customElements.define(tag, constructor);
}
