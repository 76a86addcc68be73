// What is said, and files.

import { get, post, quoted } from "./api.js";
import { h, icon } from "./dom.js";
import { clock, day, nameOf } from "./format.js";
import { attempt, changed, contactOf, onDrawn, onEvent, state } from "./store.js";
import { fileBubble, sendFiles } from "./uploads.js";

const PAUSE = 5 * 60 * 1000;
const RANKS = ["sending", "queued", "delivered", "consumed", "seen", "failed"];
const histories = new Map(); // by contact id: {entries: Map by id, early: likewise, before, loaded, typingUntil, atEnd}
let dropping = 0;

function historyOf(id) {
  if (!histories.has(id)) histories.set(id, { entries: new Map(), early: new Map(), before: null, loaded: false, typingUntil: 0, atEnd: true });
  return histories.get(id);
}

/** Answers and events overtake each other: an entry never goes back to an earlier state. */
function put(history, entry) {
  const known = history.entries.get(entry.id);
  if (!known || RANKS.indexOf(entry.state) >= RANKS.indexOf(known.state)) history.entries.set(entry.id, entry);
}

export function openChat(id) {
  const history = historyOf(id);
  history.atEnd = true;
  history.wanted = true; // from now on, what happens is taken down
  load(id, history);
}

async function load(id, history) {
  await attempt(async () => {
    const page = await get(`/chat/${quoted(id)}?limit=60`);
    // What came meanwhile is newer than the page: keep it, and what was read back before.
    if (!history.loaded) history.before = page.before;
    for (const entry of page.entries) put(history, entry);
    for (const entry of history.early.values()) if (history.entries.has(entry.id)) put(history, entry);
    history.early.clear();
    history.loaded = true;
    changed();
    markRead(id, history);
  });
}

async function older(id) {
  const history = historyOf(id);
  if (history.before === null || history.busy) return;
  history.busy = true;
  await attempt(async () => {
    const page = await get(`/chat/${quoted(id)}?limit=60&before=${history.before}`);
    const list = document.querySelector(".said");
    const below = list ? list.scrollHeight - list.scrollTop : 0;
    history.before = page.before;
    for (const entry of page.entries) put(history, entry);
    changed();
    queueMicrotask(() => { if (list) list.scrollTop = list.scrollHeight - below; });
  });
  history.busy = false;
}

const shown = (id) => state.place.name === "contact" && state.place.contact === id && state.place.tab === "chat" && !document.hidden;

function markRead(id, history) {
  if (!shown(id) || !(state.conversations.get(id)?.unread > 0)) return;
  const last = sorted(history).filter((entry) => !entry.mine).pop();
  if (last) attempt(() => post(`/chat/${quoted(id)}/read`, { through: last.id }));
}

document.addEventListener("visibilitychange", () => {
  for (const [id, history] of histories) markRead(id, history);
});

onEvent((kind, data) => {
  if (!kind.startsWith("chat.")) {
    if (kind === "feed.missed") for (const [id, history] of histories) if (history.loaded) load(id, history);
    return;
  }
  const id = data.contact.id;
  const history = historyOf(id);
  if (kind === "chat.typing") {
    history.typingUntil = Date.now() + 5000;
    setTimeout(changed, 5100);
  } else if (kind === "chat.cleared") {
    history.entries.clear();
    history.before = null;
  } else if (data.entries) {
    if (kind === "chat.message") history.typingUntil = 0;
    for (const entry of history.wanted ? data.entries : []) {
      // News of what lies before the first page would stand there alone: its own page brings it.
      if (kind === "chat.message" || history.entries.has(entry.id)) put(history, entry);
      else if (!history.loaded) history.early.set(entry.id, entry);
    }
    const conversation = state.conversations.get(id);
    if (kind === "chat.message" && conversation) state.conversations.set(id, { ...conversation, unread: data.unread });
    markRead(id, history);
  }
  changed();
});

// What is new is scrolled into view, unless somebody reads further up. Whoever has just begun to scroll is noticed
// here, before the browser tells of it.
onDrawn(() => {
  const list = document.querySelector(".said");
  if (!list || state.place.name !== "contact") return;
  const history = historyOf(state.place.contact);
  if (history.list === list && list.scrollTop < history.placed - 4) history.atEnd = false;
  if (!history.atEnd) return;
  list.scrollTop = list.scrollHeight;
  history.list = list;
  history.placed = list.scrollTop;
});

function sorted(history) {
  return [...history.entries.values()].sort((one, other) => one.id - other.id);
}

async function say(contact) {
  const box = document.querySelector(".composer textarea");
  const text = box.value;
  if (!text.trim()) return;
  box.value = "";
  lastTyped = 0;
  historyOf(contact.id).atEnd = true;
  const entry = await attempt(() => post(`/chat/${quoted(contact.id)}`, { text }));
  if (entry === undefined && !box.value) box.value = text; // it was not sent: nothing that was written is lost
  else if (entry) put(historyOf(contact.id), entry);
  changed();
}

let lastTyped = 0;
function typed(contact) {
  if (!contact.connected || Date.now() - lastTyped < 3000) return;
  lastTyped = Date.now();
  post(`/chat/${quoted(contact.id)}/typing`).catch(() => {}); // a courtesy: it does not matter if it is lost
}

export function viewChat(contact) {
  const history = historyOf(contact.id);
  const entries = sorted(history);
  return h("div", { class: `chat${dropping > 0 ? " dropping" : ""}`, ...drop(contact) },
    h("div", {
      class: "said", role: "log", "aria-label": `Chat with ${nameOf(contact)}`, tabindex: "0",
      onscroll: (event) => {
        const { scrollTop, scrollHeight, clientHeight } = event.target;
        history.atEnd = scrollHeight - scrollTop - clientHeight < 60;
        if (history.atEnd) history.placed = scrollTop;
        if (scrollTop < 80) older(contact.id);
      },
    },
    history.before !== null && h("button", { class: "bare tiny older", key: "older", onclick: () => older(contact.id) }, "Earlier"),
    history.loaded && entries.length === 0 && nothing(contact),
    bubbles(contact, entries)),
    composer(contact, history));
}

function nothing(contact) {
  return h("div", { class: "day", key: "nothing" }, contact.connected
    ? `Say hello to ${nameOf(contact)}, or drop a file here.`
    : `Nothing was said yet. What you write waits here, and arrives when ${nameOf(contact)} is back.`);
}

function composer(contact, history) {
  const name = nameOf(contact);
  const picker = () => document.getElementById("picker").click();
  return h("div", { class: "composer-wrap" },
    history.typingUntil > Date.now() && h("p", { class: "typing" }, `${name} is writing…`),
    h("form", { class: "composer", onsubmit: (event) => { event.preventDefault(); say(contact); } },
      h("input", { type: "file", id: "picker", multiple: true, hidden: true, "aria-label": "Files to send",
        onchange: (event) => { sendFiles(contact, [...event.target.files]); event.target.value = ""; } }),
      h("button", { type: "button", class: "bare round", "aria-label": `Send files to ${name}`, onclick: picker }, icon("clip")),
      h("textarea", {
        rows: "1", "aria-label": `Message to ${name}`, placeholder: contact.connected ? "Message" : `Message, for when ${name} is back`,
        key: contact.id,
        oninput: () => typed(contact),
        onpaste: (event) => { if (event.clipboardData.files.length) { event.preventDefault(); sendFiles(contact, [...event.clipboardData.files]); } },
        onkeydown: (event) => {
          if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); say(contact); }
        },
      }),
      h("button", { class: "primary round", "aria-label": "Send" }, icon("send"))));
}

function drop(contact) {
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  const over = (by) => (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    dropping = Math.max(0, dropping + by);
    changed();
  };
  return {
    ondragenter: over(1),
    ondragleave: over(-1),
    ondragover: (event) => { if (carries(event)) { event.preventDefault(); event.dataTransfer.dropEffect = "copy"; } },
    ondrop: (event) => {
      if (!carries(event)) return;
      event.preventDefault();
      dropping = 0;
      sendFiles(contact, [...event.dataTransfer.files]);
      changed();
    },
  };
}

const STATES = {
  sending: ["…", "being handed over"],
  queued: ["…", "waiting on this device"],
  delivered: ["✓", "delivered"],
  consumed: ["✓✓", "delivered"],
  seen: ["✓✓", "seen"],
  failed: ["✗", "not delivered"],
};

function bubbles(contact, entries) {
  const found = [];
  const lastSeen = entries.filter((entry) => entry.state === "seen").pop();
  const lastMine = entries.filter((entry) => entry.mine).pop();
  entries.forEach((entry, place) => {
    const before = entries[place - 1], after = entries[place + 1];
    if (!before || day(before.sent_ms) !== day(entry.sent_ms)) found.push(h("p", { class: "day", key: `day${entry.id}` }, day(entry.sent_ms)));
    found.push(bubble(contact, entry));
    const ends = !after || after.mine !== entry.mine || after.sent_ms - entry.sent_ms > PAUSE;
    if (ends || entry === lastSeen || entry === lastMine || entry.state === "failed") {
      found.push(h("p", { class: `under${entry.mine ? " mine" : ""}`, key: `under${entry.id}` }, under(contact, entry)));
    }
  });
  return found;
}

function bubble(contact, entry) {
  const classes = `bubble ${entry.kind}${entry.mine ? " mine" : ""}${entry.state === "failed" ? " failed" : ""}`;
  const who = h("span", { class: "unseen" }, entry.mine ? "You: " : `${nameOf(contact)}: `);
  const text = entry.kind === "unreadable" ? "(cannot be read)" : entry.text;
  return h("div", { class: classes, key: entry.id }, who, entry.file ? fileBubble(entry, contact) : text);
}

function under(contact, entry) {
  const time = clock(entry.sent_ms);
  if (!entry.mine) return time;
  if (entry.state === "failed") return `${time} · ${entry.reason}`;
  const [sign, words] = STATES[entry.state];
  const waits = entry.state === "queued" && !contactOf(contact.id)?.connected;
  return `${time} · ${sign} ${waits ? `waiting until ${nameOf(contact)} is back` : words}`;
}
