// One device: what is said, how the link is, what it may do here.

import { viewAccess, openAccess } from "./access.js";
import { avatar, presence } from "./app.js";
import { openChat, viewChat } from "./chat.js";
import { verifiedMark } from "./devices.js";
import { h, icon } from "./dom.js";
import { duration, nameOf } from "./format.js";
import { openLink, viewLink } from "./link.js";

const TABS = {
  chat: ["Chat", viewChat],
  link: ["Connection", viewLink],
  access: ["Access", viewAccess],
};

/** The person came here. */
export function openContact(id, tab) {
  if (tab === "link") openLink(id);
  else if (tab === "access") openAccess(id);
  else openChat(id);
}

export function viewContact(contact, tab) {
  const [, view] = TABS[tab] ?? TABS.chat;
  return h("section", { class: "contact", "aria-label": nameOf(contact) },
    h("header", { class: "contact-head" },
      h("div", { class: "contact-title" },
        h("a", { class: "button bare round back", href: "#/devices", "aria-label": "Back to all devices" }, icon("back")),
        avatar(contact, true),
        h("div", null,
          h("h1", null, h("span", { class: "cut" }, nameOf(contact)), verifiedMark(contact)),
          h("p", { class: "quiet small cut figures" }, presenceLine(contact)))),
      h("nav", { class: "tabs", "aria-label": `About ${nameOf(contact)}` },
        Object.entries(TABS).map(([name, [label]]) =>
          h("a", { href: `#/c/${contact.id}/${name}`, "aria-current": name === tab ? "page" : null }, label)))),
    h("div", { class: "contact-body", key: tab }, view(contact)));
}

function presenceLine(contact) {
  const words = [presence(contact)];
  if (contact.connected && contact.round_trip !== null) words.push(duration(contact.round_trip));
  if (contact.queued_messages) words.push(`${contact.queued_messages} waiting`);
  return words.join(" · ");
}
