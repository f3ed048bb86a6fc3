// Elements. Text goes in as text, never as HTML.

export const $ = (id) => document.getElementById(id);

/** An element with attributes and children; what is null or false is left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue;
    if (name === "onclick") element.addEventListener("click", value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child != null && child !== false));
  return element;
}

/** Set text only where it differs: what stays keeps its selection, and is not read out again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A level as a chip: its shape and its word. */
export function chip(word, mark) {
  return h("span", { class: `level ${word}` }, `${mark} ${word}`);
}

/** Only http and https: an address out of the settings may be anything. */
export function safeUrl(url) {
  return /^https?:\/\//.test(url) || url.startsWith("/") ? url : "#";
}
