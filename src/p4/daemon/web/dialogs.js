// Windows over the page: the native dialog element, which keeps the focus inside and closes with Esc.

import { h, icon, render } from "./dom.js";
import { onChange, tell } from "./store.js";

let open = null; // {element, title, view, closed}

/**
 * Show a window. `view()` gives its content and is called again after every change.
 * @param closed called when it is closed, however
 */
export function sheet(title, view, closed) {
  closeDialog();
  const element = h("dialog", { "aria-labelledby": "sheet-title" });
  const here = { element, title, view, closed };
  element.onclose = () => {
    element.remove();
    if (open === here) open = null;
    here.closed?.();
  };
  element.onclick = (event) => { if (event.target === element) element.close(); };
  document.body.append(element);
  open = here;
  drawDialog();
  element.showModal();
}

export function closeDialog() {
  open?.element.close();
}

export function drawDialog() {
  if (!open) return;
  render(open.element, h("div", { class: "sheet" },
    h("div", { class: "sheet-head" },
      h("h2", { id: "sheet-title" }, open.title),
      h("button", { class: "bare round", "aria-label": "Close", onclick: closeDialog }, icon("close"))),
    open.view()));
}

onChange(drawDialog);

/** A text field with its label; `hint` says more. */
export function field(label, properties, hint) {
  const id = `field-${properties.name}`;
  const { options, ...rest } = properties;
  return h("div", { class: "field" },
    h("label", { for: id }, label),
    options
      ? h("select", { id, ...rest, "aria-describedby": hint ? `${id}-hint` : null },
        options.map(([value, text]) => h("option", { value, selected: value === rest.chosen }, text)))
      : h("input", { id, autocomplete: "off", spellcheck: "false", ...rest, "aria-describedby": hint ? `${id}-hint` : null }),
    hint && h("p", { class: "quiet small", id: `${id}-hint` }, hint));
}

/**
 * A window with fields. `save(values)` carries it out; what it raises is shown in the window, which stays open.
 * @param parts gives the elements above the buttons, new ones each time
 */
export function form(title, parts, verb, save, { danger = false } = {}) {
  let problem = "", busy = false;
  const submit = async (event) => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(event.target));
    busy = true;
    problem = "";
    drawDialog();
    try {
      await save(values);
      closeDialog();
    } catch (error) {
      problem = error.message;
    }
    busy = false;
    drawDialog();
  };
  sheet(title, () => h("form", { class: "stack", onsubmit: submit },
    parts(),
    problem && h("p", { class: "note bad", role: "alert" }, problem),
    h("div", { class: "row" },
      h("button", { type: "button", onclick: closeDialog }, "Cancel"),
      h("button", { class: danger ? "danger" : "primary", disabled: busy }, verb))));
}

/** Ask before something that cannot be undone. */
export function confirm(title, text, verb, work) {
  form(title, () => [h("p", null, text)], verb, work, { danger: true });
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    tell("Copied");
  } catch {
    tell("The browser does not let this page copy. Mark the text and copy it by hand.", true);
  }
}
