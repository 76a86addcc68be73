// What a device may do here, whether it is really whose it says, and its end.

import { api, get, post, quoted } from "./api.js";
import { confirm, drawDialog, field, form } from "./dialogs.js";
import { h, icon } from "./dom.js";
import { nameOf } from "./format.js";
import { attempt, changed, loadContacts, loadConversations, tell } from "./store.js";

const MEANINGS = {
  chat: "Send you messages",
  ping: "Measure the round trip",
  files: "Send you files, and fetch those you share",
  "files.write": "Send you files",
  "files.read": "Fetch files that you share",
  introduce: "Find its other contacts through this device",
  "*": "Everything, now and in the future",
};

const VERIFIED = {
  no: ["", "not compared yet"],
  verified: ["good", "verified"],
  "verified-before-rotation": ["warn", "verified, before its key changed"],
};

const seen = { id: "", code: null };

export function openAccess(id) {
  if (seen.id !== id) seen.code = null;
  seen.id = id;
  attempt(async () => {
    seen.code = await get(`/contacts/${quoted(id)}/verification`);
    changed();
  });
}

export function viewAccess(contact) {
  return h("div", { class: "page" }, grants(contact), verification(contact), itself(contact));
}

// --- grants --------------------------------------------------------------------------------------------

function meaning(grant) {
  if (MEANINGS[grant]) return MEANINGS[grant];
  const port = /^(tcp|udp)\.(.+)$/.exec(grant);
  return port ? `Use your port “${port[2]}” (${port[1].toUpperCase()})` : "A service of a program";
}

function grants(contact) {
  const name = nameOf(contact);
  return h("section", { class: "card", "aria-labelledby": "grants" },
    h("div", { class: "tight" },
      h("h2", { id: "grants" }, `What ${name} may do here`),
      h("p", { class: "quiet small" }, "Nothing else of this device can be reached. Each name covers what is below it: home covers home.light.")),
    contact.grants.length === 0
      ? h("p", { class: "note" }, "Nothing.")
      : h("ul", { class: "rows" }, contact.grants.map((grant) => h("li", { key: grant },
        h("div", { class: "grow" }, h("span", null, meaning(grant)), h("code", null, grant)),
        h("button", { class: "tiny danger", "aria-label": `Revoke ${grant}`, onclick: () => revoke(contact, grant) }, "Revoke")))),
    h("form", { class: "line", onsubmit: (event) => { event.preventDefault(); grant(contact, event.target); } },
      h("label", { class: "unseen", for: "grant" }, "Service to grant"),
      h("input", { id: "grant", name: "service", class: "grow", placeholder: "Service, such as files.write", autocomplete: "off", spellcheck: "false", list: "services" }),
      h("datalist", { id: "services" }, ["files.write", "files.read", "chat", "introduce"].filter((one) => !contact.grants.includes(one)).map((one) => h("option", { value: one }))),
      h("button", null, "Grant")));
}

function grant(contact, box) {
  const service = new FormData(box).get("service").trim();
  if (!service) return;
  const give = () => attempt(async () => {
    await post(`/contacts/${quoted(contact.id)}/grants`, { services: [service] });
    box.reset();
    await loadContacts();
    tell(`${nameOf(contact)} may use ${service} now.`);
  });
  if (service === "*") {
    confirm("Grant everything?", `${nameOf(contact)} could use all that programs offer on this device, now and in the future.`, "Grant everything", give);
  } else give();
}

function revoke(contact, grant_) {
  attempt(async () => {
    await api("DELETE", `/contacts/${quoted(contact.id)}/grants/${quoted(grant_)}`);
    await loadContacts();
    tell(`${nameOf(contact)} may not use ${grant_} any more.`);
  });
}

// --- the code to compare ---------------------------------------------------------------------------------

function verification(contact) {
  const name = nameOf(contact);
  return h("section", { class: "card", "aria-labelledby": "code" },
    h("div", { class: "card-head" },
      h("h2", { id: "code" }, "Is it really this device?"),
      h("span", { class: `chip ${VERIFIED[contact.verification][0]}` }, VERIFIED[contact.verification][1])),
    h("p", { class: "quiet small" }, `${name} shows the same six words under Access, or with p4 verify. If they are equal, nobody stands between you. Compare them face to face or on the phone.`),
    seen.code && seen.id === contact.id && h("ol", { class: "code-words" }, seen.code.words.map((word) => h("li", null, word))),
    h("div", { class: "line" }, contact.verification === "verified"
      ? h("button", { class: "tiny", onclick: () => verify(contact, false) }, "Not verified after all")
      : h("button", { disabled: !seen.code, onclick: () => verify(contact, true) }, icon("check"), "They are equal")));
}

function verify(contact, verified) {
  attempt(async () => {
    const { public_key: key } = seen.code; // the words on the screen are those of this key
    seen.code = await api("PUT", `/contacts/${quoted(contact.id)}/verification`, { verified, public_key: key });
    await loadContacts();
    tell(verified ? `${nameOf(contact)} is verified.` : `${nameOf(contact)} does not count as verified any more.`);
  });
}

const setBlocked = (id, blocked) => api("PUT", `/contacts/${quoted(id)}/block`, { blocked });

// --- name and end ----------------------------------------------------------------------------------------

function itself(contact) {
  const name = nameOf(contact);
  return h("section", { class: "card", "aria-labelledby": "itself" },
    h("h2", { id: "itself" }, "This contact"),
    h("dl", { class: "values" }, h("dt", null, "Name"), h("dd", null, contact.name || "none"), h("dt", null, "Id"), h("dd", { class: "mono small" }, contact.id)),
    h("div", { class: "line wrap" },
      h("button", { onclick: () => rename(contact) }, "Rename"),
      h("button", { onclick: () => clear(contact) }, "Clear the chat"),
      contact.blocked
        ? h("button", { onclick: () => attempt(async () => { await setBlocked(contact.id, false); await loadContacts(); tell(`${name} is let in again.`); }) }, "Unblock")
        : h("button", { class: "danger", onclick: () => block(contact) }, "Block"),
      h("button", { class: "danger", onclick: () => remove(contact) }, "Remove")));
}

function rename(contact) {
  form(`Rename ${nameOf(contact)}`, () => field("Name", { name: "name", value: contact.name, required: true, maxlength: "64" }, "Only this device uses it."), "Rename", async ({ name }) => {
    await api("PATCH", `/contacts/${quoted(contact.id)}`, { name });
    await Promise.all([loadContacts(), loadConversations()]);
  });
}

function clear(contact) {
  confirm("Clear the chat?", `What you and ${nameOf(contact)} said is deleted on this device. The other device keeps its own.`, "Clear", async () => {
    await api("DELETE", `/chat/${quoted(contact.id)}`);
    await loadConversations();
  });
}

function block(contact) {
  const name = nameOf(contact);
  confirm(`Block ${name}?`, `The connection ends at once, and nothing of ${name} gets here until you unblock it. What it may do here stays as it is.`, "Block", async () => {
    await setBlocked(contact.id, true);
    await loadContacts();
  });
}

function remove(contact) {
  const name = nameOf(contact);
  confirm(`Remove ${name}?`, `This device forgets ${name}: its connection ends, and what waits for it and from it is deleted, with the chat. Files stay. To connect again, pair the two anew.`, "Remove", async () => {
    await api("DELETE", `/contacts/${quoted(contact.id)}`);
    location.hash = "#/devices";
    await Promise.all([loadContacts(), loadConversations()]);
    drawDialog();
  });
}

