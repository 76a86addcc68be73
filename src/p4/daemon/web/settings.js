// This device, programs that may use it, and this browser.

import { api, get, post, quoted } from "./api.js";
import { confirm, copy, field, form, sheet, closeDialog } from "./dialogs.js";
import { h, icon } from "./dom.js";
import { moment, nameOf } from "./format.js";
import { keysOn, setKeys, showKeys } from "./keys.js";
import { attempt, changed, leave, loadStatus, state, tell } from "./store.js";

const seen = { tokens: null, share: null, asked: false };

async function load() {
  await attempt(async () => {
    [{ tokens: seen.tokens }, seen.share] = await Promise.all([get("/tokens"), get("/share")]);
  });
  changed();
}

export function viewSettings() {
  if (!seen.asked) {
    seen.asked = true;
    load();
  }
  return h("div", { class: "page" }, h("h1", null, "Settings"), device(), programs(), browser());
}

function device() {
  const { status } = state;
  return h("section", { class: "card", "aria-labelledby": "device" },
    h("h2", { id: "device" }, "This device"),
    h("dl", { class: "values" },
      h("dt", null, "Name"), h("dd", { class: "line" }, h("span", { class: "cut" }, state.identity.name),
        h("button", { class: "tiny", "aria-label": "Change the name of this device", onclick: rename }, "Change")),
      h("dt", null, "Id"), h("dd", { class: "line" }, h("span", { class: "mono small cut" }, status.id),
        h("button", { class: "tiny", "aria-label": "Change the key of this device", onclick: rotate }, "Change the key")),
      h("dt", null, "Shared folder"), h("dd", { class: "line" }, h("span", { class: "mono small" }, seen.share?.path ?? "–"),
        h("button", { class: "tiny", "aria-label": "Change the shared folder", onclick: chooseFolder }, "Change")),
      h("dt", null, "State"), h("dd", { class: "mono small" }, status.state_directory),
      h("dt", null, "Runs since"), h("dd", null, moment(status.started_ms)),
      h("dt", null, "Versions"), h("dd", null, Object.entries(status.versions).map(([name, version]) => `${name} ${version}`).join(", "))));
}

function rename() {
  form("Name of this device",
    () => field("Name", { name: "name", value: state.identity.name, maxlength: "64" }, "Devices that you pair from now on call it so. Empty: the name of the machine."),
    "Save", async ({ name }) => {
      await api("PATCH", "/identity", { name });
      await loadStatus();
    });
}

function rotate() {
  confirm("Change the key of this device?", "Contacts follow by themselves when they are connected next; your id becomes another. Do it if somebody may have copied the key.", "Change the key", async () => {
    const { waiting } = await post("/identity/rotation");
    await loadStatus();
    tell(waiting.length ? `The key is changed. These will hear of it: ${waiting.map(nameOf).join(", ")}.` : "The key is changed.");
  });
}

function chooseFolder() {
  form("Shared folder", () => [
    field("Folder", { name: "path", value: seen.share?.path ?? "", required: true },
      "An absolute path. Devices that may use files.write put files there; those that may use files.read fetch them."),
    h("label", { class: "choice" }, h("input", { type: "checkbox", name: "read_only", checked: seen.share?.read_only }),
      h("span", null, "Only to be fetched from; nobody may put files there")),
  ], "Save", async ({ path, read_only: readOnly }) => {
    await api("PUT", "/share", { path, read_only: readOnly === "on" });
    await load();
  });
}

function programs() {
  const { tokens } = seen;
  return h("section", { class: "card", "aria-labelledby": "tokens" },
    h("div", { class: "card-head" },
      h("div", { class: "tight" },
        h("h2", { id: "tokens" }, "Programs"),
        h("p", { class: "quiet small" }, "A token lets a program on this machine use some services and contacts, and nothing else.")),
      h("button", { onclick: create }, icon("plus"), "New token")),
    tokens && (tokens.length === 0
      ? h("p", { class: "note" }, "No program has a token.")
      : h("ul", { class: "rows" }, tokens.map((token) => h("li", { key: token.id },
        h("div", { class: "grow" },
          h("strong", null, token.app),
          h("span", { class: "quiet small" }, scope(token))),
        h("button", { class: "tiny danger", "aria-label": `Revoke the token of ${token.app}`, onclick: () => revoke(token) }, "Revoke"))))));
}

function scope(token) {
  const services = token.services === null ? "all services" : token.services.join(", ") || "no service";
  const contacts = token.contacts === null ? "all devices"
    : token.contacts.map((id) => nameOf(state.contacts.find((contact) => contact.id === id) ?? { id })).join(", ");
  return `${services} · ${contacts} · ${token.expires_ms ? `until ${moment(token.expires_ms)}` : "does not expire"}`;
}

function create() {
  form("New token", () => [
    field("Program", { name: "app", required: true, maxlength: "64", placeholder: "notes" }),
    field("Services", { name: "services", required: true, placeholder: "notes, home.light" }, "Separated by commas. Each covers what is below it."),
    field("Device", { name: "contact", options: [["", "All devices"], ...state.contacts.map((contact) => [contact.id, nameOf(contact)])] }),
  ], "Make it", async ({ app, services, contact }) => {
    const made = await post("/tokens", {
      app,
      services: services.split(/[\s,]+/).filter(Boolean),
      contacts: contact ? [contact] : null,
    });
    load();
    setTimeout(() => showToken(made));
  });
}

function showToken(made) {
  sheet(`Token of ${made.app}`, () => [
    h("p", null, "Give this to the program. It is shown this once."),
    h("p", { class: "secret" }, made.token),
    h("div", { class: "row" },
      h("button", { onclick: () => copy(made.token) }, icon("copy"), "Copy"),
      h("button", { class: "primary", onclick: closeDialog }, "Done")),
  ]);
}

function revoke(token) {
  confirm(`Revoke the token of ${token.app}?`, "The program is cut off at once.", "Revoke", async () => {
    await api("DELETE", `/tokens/${quoted(token.id)}`);
    await load();
  });
}

function browser() {
  return h("section", { class: "card", "aria-labelledby": "browser" },
    h("h2", { id: "browser" }, "This browser"),
    h("label", { class: "choice" },
      h("input", { type: "checkbox", checked: keysOn(), onchange: (event) => { setKeys(event.target.checked); tell(event.target.checked ? "Single keys work." : "Single keys are off."); } }),
      h("span", null, "Single keys for what is needed often")),
    h("div", { class: "line" },
      h("button", { onclick: showKeys }, icon("keys"), "List the keys"),
      h("button", { onclick: () => attempt(async () => { await post("/web-logout"); leave(); }) }, "Log out")));
}
