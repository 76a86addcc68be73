// Two devices become contacts: one invites, the other takes the link or the words.

import { ApiError, api, get, post, quoted } from "./api.js";
import { closeDialog, copy, drawDialog, field, sheet } from "./dialogs.js";
import { h, icon } from "./dom.js";
import { duration, nameOf } from "./format.js";
import { loadContacts, loadConversations, onEvent, soon } from "./store.js";

const KINDS = [["link", "Code or link"], ["words", "Words to say"], ["local-words", "Two words, same network"]];

let now = null; // what the window shows

/** Open the window: to "invite", or to "add". */
export function pair(side) {
  now = { side, kind: "link", invite: null, problem: "", busy: false, text: "", done: null };
  sheet("Pair a device", view, leave);
  if (side === "invite") invite("link");
}

function leave() {
  cancel(now?.invite);
  now = null;
  clearInterval(ticking);
}

function cancel(made) {
  if (made && !now?.done) api("DELETE", `/invites/${quoted(made.id)}`).catch(() => {}); // it ends by itself
}

let ticking = 0;

async function invite(kind) {
  const mine = now;
  cancel(mine.invite);
  Object.assign(mine, { kind, invite: null, problem: "", busy: true });
  drawDialog();
  try {
    const made = await post("/invites", { kind });
    if (now !== mine || mine.kind !== kind) { cancel(made); return; }
    mine.invite = made;
  } catch (error) {
    mine.problem = error.message;
  }
  mine.busy = false;
  clearInterval(ticking);
  ticking = setInterval(look, 1000);
  drawDialog();
}

/** How the invite is: it may have been used, or its time may be over. */
async function look() {
  const mine = now;
  if (!mine?.invite || mine.done || document.hidden) return;
  try {
    const found = await get(`/invites/${quoted(mine.invite.id)}`);
    if (now !== mine || mine.invite?.id !== found.id) return;
    if (found.state === "paired") finished(found.contact);
    else if (found.message) mine.problem = found.message;
    else mine.invite = found;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) mine.problem = "The invite is over. Make a new one.";
  }
  drawDialog();
}

onEvent((kind) => { if (kind.startsWith("invite.") || kind === "contact.paired") soon(look, 50); });

function finished(contact) {
  now.done = contact;
  soon(loadContacts, 0);
  soon(loadConversations, 0);
}

function view() {
  if (!now) return null;
  if (now.done) return success(now.done);
  return [
    h("div", { class: "switch", role: "group", "aria-label": "Which way" },
      h("button", { "aria-pressed": String(now.side === "invite"), onclick: () => { now.side = "invite"; if (!now.invite) invite(now.kind); drawDialog(); } }, "Invite it here"),
      h("button", { "aria-pressed": String(now.side === "add"), onclick: () => { now.side = "add"; drawDialog(); } }, "I have its invite")),
    now.side === "invite" ? inviting() : adding(),
  ];
}

function inviting() {
  const { invite: made } = now;
  return h("div", { class: "stack", key: "inviting" },
    h("div", { class: "field" },
      h("label", { for: "kind" }, "As"),
      h("select", { id: "kind", onchange: (event) => invite(event.target.value) },
        KINDS.map(([value, text]) => h("option", { value, selected: value === now.kind }, text)))),
    now.problem && h("p", { class: "note bad", role: "alert" }, now.problem),
    made ? (now.kind === "link" ? asLink(made) : asWords(made)) : now.busy && h("p", { class: "note", role: "status" }, "One moment…"),
    made && !now.problem && h("p", { class: "quiet small figures" }, waiting(made)),
    now.problem && h("div", { class: "row" }, h("button", { class: "primary", onclick: () => invite(now.kind) }, "New invite")));
}

function asLink(made) {
  return [
    h("p", null, "Scan this on the other device, or open the link there (p4 add LINK). It works once."),
    h("div", { class: "qr" }, h("img", { key: made.id, src: `/v1/invites/${quoted(made.id)}/code.svg`, alt: "QR code of the invite link" })),
    h("p", { class: "secret", tabindex: "0" }, made.text),
    h("div", { class: "row" }, h("button", { onclick: () => copy(made.text) }, icon("copy"), "Copy the link")),
  ];
}

function asWords(made) {
  return [
    h("p", null, now.kind === "words"
      ? "Say these words to whoever has the other device. They enter them there (p4 add WORDS). A wrong guess ends them."
      : "Enter these words on the other device, in the same network (p4 add WORDS). A wrong guess ends them."),
    h("ol", { class: "words" }, made.text.split(/[\s-]+/).map((word) => h("li", null, word))),
  ];
}

function waiting(made) {
  const left = Math.max(0, (made.expires_at_ms - Date.now()) / 1000);
  if (made.state === "claimed") return "The other device is here…";
  return left > 0 ? `${made.findable ? "Waiting for the other device." : "Getting ready to be found…"} The invite ends in ${duration(left)}, or when this window is closed.` : "The time of this invite is over.";
}

function adding() {
  return h("form", { class: "stack", key: "adding", onsubmit: add },
    h("p", null, "On the other device: Invite, or p4 invite. Then enter here what it shows."),
    field("Link or words", { name: "text", required: true, placeholder: "p4:… or the words", autofocus: true }),
    field("Name for it here", { name: "name", maxlength: "64", placeholder: "as it calls itself" }),
    now.problem && h("p", { class: "note bad", role: "alert" }, now.problem),
    now.busy && h("p", { class: "note", role: "status" }, "Looking for the other device…"),
    h("div", { class: "row" }, h("button", { class: "primary", disabled: now.busy }, "Pair")));
}

async function add(event) {
  event.preventDefault();
  const mine = now;
  const { text, name } = Object.fromEntries(new FormData(event.target));
  Object.assign(mine, { busy: true, problem: "" });
  drawDialog();
  try {
    const answer = await post("/pairings", { invite: text.trim(), name: name.trim() });
    if (now === mine) finished(answer.contact ?? answer);
  } catch (error) {
    mine.problem = error.message;
  }
  mine.busy = false;
  drawDialog();
}

function success(contact) {
  return h("div", { class: "empty", key: "done" }, icon("check"),
    h("h3", null, `Paired with ${nameOf(contact)}`),
    h("p", null, "Both devices know each other from now on. To be sure that nobody stands between them, compare the six words under Access."),
    h("div", { class: "row" },
      h("a", { class: "button", href: `#/c/${contact.id}/access`, onclick: closeDialog }, "Compare"),
      h("a", { class: "button primary", href: `#/c/${contact.id}/chat`, onclick: closeDialog }, "Say hello")));
}
