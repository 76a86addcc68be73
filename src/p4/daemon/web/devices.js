// Every device at a glance, and what a new user does first.

import { avatar } from "./app.js";
import { h, icon } from "./dom.js";
import { ago, count, duration, nameOf, rate, way } from "./format.js";
import { pair } from "./pairing.js";
import { state } from "./store.js";

export function viewDevices() {
  const { contacts } = state;
  if (contacts.length === 0) return welcome();
  const here = contacts.filter((contact) => contact.connected).length;
  return h("div", { class: "page" },
    h("div", { class: "page-head" },
      h("div", null, h("h1", null, "Devices"),
        h("p", { class: "quiet" }, `${here} of ${count(contacts.length, "device")} connected`)),
      h("div", { class: "actions" },
        h("button", { onclick: () => pair("add") }, icon("link"), "Add by link or words"),
        h("button", { class: "primary", onclick: () => pair("invite") }, icon("plus"), "Invite a device"))),
    h("div", { class: "cards" }, contacts.map(card)));
}

function welcome() {
  return h("div", { class: "page" },
    h("h1", null, "Welcome"),
    h("div", { class: "empty" }, icon("devices"),
      h("h2", null, "No other device yet"),
      h("p", null, "P4 connects your devices directly: no account, no server in between. Pair two of them once, and they find each other from then on."),
      h("ol", { class: "steps" },
        h("li", null, "Install P4 on the other device, too."),
        h("li", null, "Invite it here: you get a code to scan, a link, or a few words to say."),
        h("li", null, "Enter that on the other device. Both know each other for good.")),
      h("div", { class: "row" },
        h("button", { class: "primary", onclick: () => pair("invite") }, icon("plus"), "Invite a device"),
        h("button", { onclick: () => pair("add") }, icon("link"), "I have a link or words"))));
}

export function wayChip(contact) {
  if (contact.blocked) return h("span", { class: "chip bad" }, "blocked");
  if (!contact.connected) return h("span", { class: "chip" }, "not connected");
  return h("span", { class: `chip ${contact.path?.kind === "relay" ? "warn" : "good"}` }, way(contact));
}

export function verifiedMark(contact) {
  if (contact.verification !== "verified") return null;
  return h("span", { title: "Verified: you compared the code" }, icon("shield"), h("span", { class: "unseen" }, "verified"));
}

function card(contact) {
  return h("a", { class: "card device", href: `#/c/${contact.id}/chat`, key: contact.id },
    h("div", { class: "line" }, avatar(contact, true),
      h("div", { class: "grow" },
        h("h2", { class: "line" }, h("span", { class: "cut" }, nameOf(contact)), verifiedMark(contact)),
        h("p", { class: "quiet small cut" }, lastWords(contact))),
      unreadOf(contact) > 0 && h("span", { class: "count" }, unreadOf(contact), h("span", { class: "unseen" }, " unread"))),
    contact.connected ? figures(contact) : absent(contact));
}

const unreadOf = (contact) => state.conversations.get(contact.id)?.unread ?? 0;

function lastWords(contact) {
  const last = state.conversations.get(contact.id)?.last;
  if (last) return `${last.mine ? "You: " : ""}${last.text}`;
  return contact.connected ? "Connected" : `Last seen ${ago(contact.last_seen_ms)}`;
}

function figures(contact) {
  return h("dl", { class: "values" },
    h("dt", null, "Path"), h("dd", null, wayChip(contact)),
    h("dt", null, "Round trip"), h("dd", null, duration(contact.round_trip)),
    h("dt", null, "Throughput"), h("dd", null, throughput(contact)),
    contact.queued_messages > 0 && [h("dt", null, "Waiting"), h("dd", null, count(contact.queued_messages, "message"))]);
}

export function throughput(contact) {
  return `↑ ${rate(contact.sending)}  ↓ ${rate(contact.receiving)}`;
}

function absent(contact) {
  return h("div", { class: "stack" },
    h("p", null, wayChip(contact)),
    h("p", { class: "small" }, contact.blocked ? "You blocked this device. Nothing of it gets here." : contact.why_not || "P4 is looking for it."),
    contact.queued_messages > 0 && h("p", { class: "small quiet" },
      `${count(contact.queued_messages, "message")} wait${contact.queued_messages === 1 ? "s" : ""} for it.`));
}
