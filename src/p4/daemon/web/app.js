// The frame around every page, and which page it is.

import { openContact, viewContact } from "./contact.js";
import { viewDevices } from "./devices.js";
import { viewDoctor } from "./doctor.js";
import { h, icon, render } from "./dom.js";
import { nameOf, way } from "./format.js";
import { pair } from "./pairing.js";
import { viewPorts } from "./ports.js";
import { viewSettings } from "./settings.js";
import { changed, contactOf, state } from "./store.js";
import { viewTransfers } from "./transfers.js";

const PAGES = { devices: viewDevices, transfers: viewTransfers, ports: viewPorts, doctor: viewDoctor, settings: viewSettings };

const PLACES = [
  ["transfers", "Transfers", "transfers"],
  ["ports", "Ports", "ports"],
  ["doctor", "Doctor", "health"],
  ["settings", "Settings", "settings"],
];

const app = document.getElementById("app");

/** Read the address and show what it names. */
export function go() {
  const [, name, contact, tab] = location.hash.split("/");
  if (name === "c" && contact) {
    state.place = { name: "contact", contact, tab: tab || "chat" };
    openContact(contact, state.place.tab);
  } else state.place = { name: PAGES[name] ? name : "devices", contact: "", tab: "" };
  changed();
  // A new page begins at its top, for eyes and screen readers alike.
  queueMicrotask(() => {
    const main = document.getElementById("main");
    if (main && document.activeElement?.closest(".side")) main.focus({ preventScroll: true });
  });
}

export function draw() {
  if (state.phase === "out") return render(app, signedOut());
  if (state.phase !== "in") return render(app, starting());
  const { place } = state;
  const contact = place.name === "contact" ? contactOf(place.contact) : null;
  const unread = [...state.conversations.values()].reduce((sum, found) => sum + found.unread, 0);
  document.title = `${unread ? `(${unread}) ` : ""}${contact ? `${nameOf(contact)} · ` : ""}P4`;
  render(app, h("div", { class: `frame${place.name === "contact" ? " talking" : ""}` },
    h("a", { class: "skip button", href: "#main", key: "skip", onclick: skip }, "Skip to content"),
    state.away && h("p", { class: "banner", role: "alert", key: "away" },
      "P4’s daemon has gone. This page goes on by itself as soon as it is back (p4 up)."),
    side(),
    h("main", { class: "main", id: "main", tabindex: "-1", key: place.name + place.contact },
      contact ? viewContact(contact, place.tab) : place.name === "contact" ? gone() : PAGES[place.name]()),
  ));
  return undefined;
}

function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

function side() {
  const { status, place } = state;
  const running = state.transfers.filter((transfer) => transfer.state === "running").length;
  return h("div", { class: "side", key: "side" },
    h("header", { class: "self" },
      h("img", { src: "/web/icon.svg", alt: "" }),
      h("div", null,
        h("strong", { class: "cut" }, state.identity.name),
        h("span", { class: "quiet small cut", title: status.reachability }, status.reachable ? "Reachable" : status.reachability))),
    h("button", { class: "primary pair", onclick: () => pair("invite") }, icon("plus"), "Pair a device"),
    h("nav", { class: "people", "aria-label": "Devices" },
      h("ul", null, state.contacts.map((contact) => person(contact, place)))),
    h("nav", { class: "places", "aria-label": "This device" },
      placeLink("devices", "Devices", "devices", place),
      PLACES.map(([name, label, drawing]) => placeLink(name, label, drawing, place, name === "transfers" ? running : 0))));
}

function placeLink(name, label, drawing, place, number = 0) {
  return h("a", { href: `#/${name}`, key: name, "aria-current": place.name === name ? "page" : null },
    icon(drawing), label,
    number > 0 && h("span", { class: "count" }, number, h("span", { class: "unseen" }, " running")));
}

function person(contact, place) {
  const conversation = state.conversations.get(contact.id);
  const unread = conversation?.unread ?? 0;
  const line = conversation?.last ? `${conversation.last.mine ? "You: " : ""}${conversation.last.text}` : presence(contact);
  return h("li", { key: contact.id },
    h("a", { href: `#/c/${contact.id}/chat`, "aria-current": place.contact === contact.id ? "page" : null },
      avatar(contact),
      h("span", null,
        h("span", { class: "name cut" }, nameOf(contact)),
        h("span", { class: "quiet small cut" }, line)),
      unread > 0 && h("span", { class: "count" }, unread, h("span", { class: "unseen" }, " unread"))));
}

export function presence(contact) {
  if (contact.blocked) return "Blocked";
  return contact.connected ? `Connected, ${way(contact)}` : "Not connected";
}

export function avatar(contact, large = false) {
  const mark = contact.blocked ? " blocked" : contact.connected ? " here" : "";
  return h("span", { class: `avatar${mark}${large ? " large" : ""}`, "aria-hidden": "true" },
    [...nameOf(contact)][0].toUpperCase());
}

function gone() {
  return h("div", { class: "page" }, h("div", { class: "empty" },
    h("h1", null, "There is no such device"),
    h("p", null, "It may have been removed."),
    h("a", { class: "button", href: "#/devices" }, "All devices")));
}

function starting() {
  return h("main", { class: "starting" }, h("h1", null, "P4"),
    h("p", { class: "quiet" }, state.away ? "The daemon does not answer. Start it with: p4 up" : "One moment…"));
}

function signedOut() {
  return h("main", { class: "alone" },
    h("img", { src: "/web/icon.svg", alt: "", width: 56, height: 56 }),
    h("h1", null, "Log in from the terminal"),
    h("p", { class: "quiet" }, "This page belongs to whoever uses this computer. To get in, run this in a terminal:"),
    h("p", { class: "secret" }, "p4 open"),
    h("p", { class: "quiet small" }, "It opens this page with a link that works once and for a minute."));
}
