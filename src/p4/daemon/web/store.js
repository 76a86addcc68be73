// What the page knows. Pages read it; `changed()` draws them again.

import { ApiError, follow, get, quoted } from "./api.js";

export const state = {
  phase: "starting", // "starting", "out" (not logged in) or "in"
  away: false, // the daemon does not answer
  status: null,
  identity: null, // of this device
  contacts: [],
  conversations: new Map(), // by contact id: {unread, last}
  transfers: [],
  forwards: null,
  place: { name: "devices", contact: "", tab: "" },
};

const readers = new Set();
const followers = new Set();
const listeners = new Set();
let drawing = false;

/** Call `draw` soon after every change. */
export const onChange = (draw) => readers.add(draw);
/** Call `work` after everything was drawn. */
export const onDrawn = (work) => followers.add(work);
/** Call `take(kind, data)` for each event of the daemon. */
export const onEvent = (take) => listeners.add(take);

export function changed() {
  if (drawing) return;
  drawing = true;
  queueMicrotask(() => {
    drawing = false;
    for (const draw of readers) draw();
    for (const work of followers) work();
  });
}

export const contactOf = (id) => state.contacts.find((contact) => contact.id === id);

const told = document.getElementById("told");

/** Tell the person something in passing. */
export function tell(text, bad = false) {
  const line = document.createElement("p");
  line.textContent = text;
  if (bad) line.className = "bad";
  told.append(line);
  while (told.children.length > 3) told.firstChild.remove();
  setTimeout(() => line.remove(), bad ? 9000 : 4000);
}

/** Carry something out; what goes wrong is told, and gives undefined. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) leave();
    else tell(error.message, true);
    return undefined;
  }
}

export function leave() {
  state.phase = "out";
  changed();
}

export async function loadStatus() {
  [state.status, state.identity] = await Promise.all([get("/status"), get("/identity")]);
  state.contacts = state.status.contacts;
  changed();
}

export async function loadContacts() {
  state.contacts = (await get("/contacts")).contacts;
  changed();
}

export async function loadConversations() {
  const { conversations } = await get("/chat");
  state.conversations = new Map(conversations.map((found) => [found.contact.id, found]));
  changed();
}

export async function loadTransfers() {
  state.transfers = (await get("/transfers")).transfers;
  changed();
}

export async function loadForwards() {
  state.forwards = (await get("/forwards")).forwards;
  changed();
}

export const historyOf = (id, seconds) => get(`/contacts/${quoted(id)}/history?seconds=${seconds}`);

/** Load something again soon; several wishes at once are one. */
const wishes = new Map();
export function soon(load, delay = 150) {
  if (wishes.has(load)) return;
  wishes.set(load, setTimeout(async () => {
    wishes.delete(load);
    try {
      await load();
    } catch (error) {
      if (error.status === 401) leave();
    }
  }, delay));
}

function take(kind, data) {
  const subject = kind.split(".")[0];
  if (subject === "link" || subject === "contact" || subject === "grants" || subject === "pairing") soon(loadContacts);
  if (subject === "contact" || subject === "pairing") soon(loadConversations);
  if (subject === "reachability" || subject === "identity") soon(loadStatus);
  if (subject === "feed") soon(loadEverything);
  if (kind === "transfer.changed") takeTransfer(data);
  else if (subject === "transfer") soon(loadTransfers);
  if (subject === "forward") soon(loadForwards);
  if (kind === "chat.message" || kind === "chat.read" || kind === "chat.cleared") soon(loadConversations);
  if (kind === "warning" || kind === "node.warning") tell(data.text);
  for (const listener of listeners) listener(kind, data);
}

function takeTransfer(transfer) {
  const at = state.transfers.findIndex((known) => known.id === transfer.id);
  if (at >= 0) state.transfers[at] = transfer;
  else state.transfers.push(transfer);
  changed();
}

async function loadEverything() {
  await loadStatus();
  await Promise.allSettled([loadConversations(), loadTransfers(), loadForwards()]);
}

/** Look at how contacts are, every now and then while somebody looks: figures change without events. */
function watch() {
  setInterval(() => {
    if (state.phase !== "in" || document.hidden || state.away) return;
    soon(loadContacts, 0);
    if (state.place.name === "ports") soon(loadForwards, 0);
  }, 2000);
}

export async function start() {
  try {
    await loadStatus();
  } catch (error) {
    state.phase = error.status === 401 ? "out" : "starting";
    state.away = error.status === 0;
    changed();
    if (error.status !== 401) setTimeout(start, 1500);
    return;
  }
  state.phase = "in";
  state.away = false;
  changed();
  Promise.allSettled([loadConversations(), loadTransfers(), loadForwards()]);
  watch();
  follow(take, (there, status) => {
    if (status === 401) return leave();
    if (there) take("feed.missed", {}); // what happened before the stream was open
    state.away = !there;
    changed();
    return undefined;
  });
}
