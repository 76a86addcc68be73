// Single keys, for those who like them. They can be switched off in the settings.

import { closeDialog, sheet } from "./dialogs.js";
import { h } from "./dom.js";
import { pair } from "./pairing.js";
import { state } from "./store.js";

const KEYS = [
  ["?", "This list", () => showKeys()],
  ["i", "Invite a device", () => pair("invite")],
  ["a", "Add a device by its link or words", () => pair("add")],
  ["j", "Next device", () => step(1)],
  ["k", "Previous device", () => step(-1)],
  ["c", "Write to the device on the screen", write],
  ["d", "All devices", () => { location.hash = "#/devices"; }],
  ["t", "Transfers", () => { location.hash = "#/transfers"; }],
  ["p", "Ports", () => { location.hash = "#/ports"; }],
  ["h", "Doctor", () => { location.hash = "#/doctor"; }],
  ["s", "Settings", () => { location.hash = "#/settings"; }],
];

export const keysOn = () => localStorage.getItem("p4-keys") !== "off";
export const setKeys = (on) => localStorage.setItem("p4-keys", on ? "on" : "off");

export function listenForKeys() {
  document.addEventListener("keydown", (event) => {
    if (!keysOn() || state.phase !== "in" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, dialog")) return;
    const found = KEYS.find(([key]) => key === event.key);
    if (!found) return;
    event.preventDefault();
    found[2]();
  });
}

export function showKeys() {
  sheet("Keyboard", () => [
    h("dl", { class: "keys" }, KEYS.map(([key, meaning]) => [h("dt", null, h("kbd", null, key)), h("dd", null, meaning)]),
      h("dt", null, h("kbd", null, "Esc")), h("dd", null, "Close a window like this")),
    h("p", { class: "quiet small" }, "Everything is reached with Tab as well. Single keys can be switched off in the settings."),
    h("div", { class: "row" }, h("button", { class: "primary", onclick: closeDialog }, "Close")),
  ]);
}

function step(by) {
  const at = state.contacts.findIndex((contact) => contact.id === state.place.contact);
  const next = state.contacts[(at + by + state.contacts.length) % state.contacts.length] ?? state.contacts[0];
  if (next) location.hash = `#/c/${next.id}/chat`;
}

function write() {
  document.querySelector(".composer textarea")?.focus();
}
