// Elements from plain descriptions, and the least change from one to the next: so a page is a function of what
// is known, and what a person focuses, types or scrolls stays as it is. Text is only ever set as text.

const HANDLERS = ["onclick", "oninput", "onchange", "onsubmit", "onkeydown", "onscroll", "onpaste",
  "ondragenter", "ondragover", "ondragleave", "ondrop", "onclose", "oncancel"];
const SVG = "http://www.w3.org/2000/svg";

function build(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (HANDLERS.includes(name)) element[name] = value;
    else if (name === "value") { element.value = value; element.preset = String(value); }
    else if (name === "checked") element.checked = value;
    else if (name === "key") element.key = value;
    else element.setAttribute(name === "className" ? "class" : name, value === true ? "" : String(value));
  }
  element.append(...children.flat(4).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An HTML element. Handlers by their property's name; null, undefined and false leave an attribute or child out. */
export function h(tag, properties, ...children) {
  return build(document.createElement(tag), properties, children);
}

/** The same for SVG. */
export function s(tag, properties, ...children) {
  return build(document.createElementNS(SVG, tag), properties, children);
}

/** Make the children of an element these, changing as little as possible. */
export function render(parent, ...children) {
  const wanted = document.createElement("div");
  wanted.append(...children.flat(4).filter(Boolean));
  morphChildren(parent, wanted);
}

function morphChildren(here, there) {
  const keyed = new Map();
  for (const child of here.childNodes) if (child.key !== undefined) keyed.set(child.key, child);
  let place = here.firstChild;
  for (const wanted of [...there.childNodes]) {
    let found = wanted.key !== undefined ? keyed.get(wanted.key) : place;
    if (found && wanted.key === undefined && found.key !== undefined) found = null;
    if (found && same(found, wanted)) {
      if (found === place) place = place.nextSibling;
      else here.insertBefore(found, place);
      morph(found, wanted);
    } else here.insertBefore(wanted, place);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function same(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName && one.key === other.key;
}

function morph(here, there) {
  if (here.nodeType === Node.TEXT_NODE) {
    if (here.data !== there.data) here.data = there.data;
    return;
  }
  for (const { name } of [...here.attributes]) if (!there.hasAttribute(name) && name !== "open") here.removeAttribute(name);
  for (const { name, value } of there.attributes) if (here.getAttribute(name) !== value) here.setAttribute(name, value);
  for (const name of HANDLERS) if (here[name] !== there[name]) here[name] = there[name];
  if (there.preset !== undefined && here.preset !== there.preset) {
    here.value = there.preset;
    here.preset = there.preset;
  }
  if (here.type === "checkbox" && here !== document.activeElement) here.checked = there.checked;
  if (here.nodeName !== "TEXTAREA") morphChildren(here, there);
}

const ICONS = {
  devices: "M3 5h11v8H3zM1.5 16h9M13 9h5v8h-5zM15 14.8h1",
  transfers: "M6 16V4m0 0L2.8 7.2M6 4l3.2 3.2M14 4v12m0 0 3.2-3.2M14 16l-3.2-3.2",
  ports: "M7 2v4m6-4v4M5 6h10v3a5 5 0 0 1-10 0zM10 14v4",
  health: "M2 10h4l2.2-5.5 3.6 11L14 10h4",
  settings: "M3 6h8m4 0h2M3 14h2m4 0h8M13 3.8v4.4M7 11.8v4.4",
  plus: "M10 4v12M4 10h12",
  check: "m4 10.5 4 4 8-9",
  shield: "M10 2 4 4.3v5c0 4 2.6 6.8 6 8.4 3.4-1.6 6-4.4 6-8.4v-5zM7.4 9.8l1.9 2 3.4-4",
  back: "M12.5 4 6.5 10l6 6",
  send: "M3 10 17 3.5 13 17l-3.2-5.2zM9.8 11.8 17 3.5",
  file: "M5 2h6l4 4v12H5zM11 2v4h4",
  clip: "m15.5 9.5-5.8 5.8a3.6 3.6 0 0 1-5.1-5.1l6.2-6.2a2.4 2.4 0 0 1 3.4 3.4l-6.1 6.1a1.2 1.2 0 0 1-1.7-1.7l5.3-5.3",
  close: "M5 5l10 10M15 5 5 15",
  alert: "M10 3 2.5 16.5h15zM10 8v4m0 2.2v.1",
  copy: "M7 7h9v10H7zM13 7V3H4v10h3",
  link: "M8.5 11.5a3 3 0 0 0 4.3 0l3-3a3 3 0 0 0-4.3-4.3l-1 1M11.500 8.5a3 3 0 0 0-4.3 0l-3 3a3 3 0 0 0 4.300 4.3l1-1",
  keys: "M2.500 5h15v10h-15zM5 8h.1M8.500 8h.1M12 8h.1M15 8h.1M6 12h8",
  shared: "M10 12V2.500m0 0L6.500 6M10 2.500 13.500 6M4 10v7h12v-7",
};

/** One of the drawings above; decoration, so it has no name of its own. */
export function icon(name) {
  return s("svg", { class: "icon", viewBox: "0 0 20 20", "aria-hidden": "true" }, s("path", { d: ICONS[name] }));
}
