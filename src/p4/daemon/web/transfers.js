// Files on their way.

import { api, post, quoted } from "./api.js";
import { h, icon } from "./dom.js";
import { ago, bytes, count, duration, nameOf, rate } from "./format.js";
import { attempt, contactOf, loadTransfers, state } from "./store.js";
import { bar, uploadsOf } from "./uploads.js";

const WORDS = { send: "to", fetch: "from", receive: "from", serve: "to" };
const STATES = {
  running: ["good", "running"],
  paused: ["", "paused"],
  done: ["good", "done"],
  failed: ["bad", "failed"],
  cancelled: ["", "cancelled"],
};

export function viewTransfers() {
  const ordered = [...state.transfers].sort((one, other) => other.created_ms - one.created_ms);
  const running = ordered.filter((transfer) => transfer.state === "running");
  const rest = ordered.filter((transfer) => transfer.state !== "running");
  return h("div", { class: "page" },
    h("div", null, h("h1", null, "Transfers"), h("p", { class: "quiet" }, "They go on after interruptions and restarts of either device.")),
    ordered.length === 0 && uploadsOf().length === 0 ? nothing() : [
      uploadsOf().length > 0 && h("section", { class: "card", "aria-label": "Being read" },
        h("h2", null, "Being read"), h("ul", { class: "rows" }, uploadsOf().map(uploadRow))),
      running.length > 0 && h("section", { class: "card", "aria-label": "Under way" },
        h("h2", null, "Under way"), h("ul", { class: "rows" }, running.map(row))),
      rest.length > 0 && h("section", { class: "card", "aria-label": "Before" },
        h("h2", null, "Before"), h("ul", { class: "rows" }, rest.map(row))),
    ]);
}

function nothing() {
  const first = state.contacts[0];
  return h("div", { class: "empty" }, icon("transfers"),
    h("h2", null, "No files yet"),
    h("p", null, "Drop a file into a chat, or copy whole folders in a terminal:"),
    h("p", { class: "secret" }, `p4 cp -r ~/Photos ${first ? nameOf(first) : "phone"}:`),
    first && h("a", { class: "button primary", href: `#/c/${first.id}/chat` }, `Chat with ${nameOf(first)}`));
}

function uploadRow(upload) {
  return h("li", { key: `upload${upload.id}` }, icon("file"),
    h("div", { class: "grow" },
      h("strong", { class: "cut" }, upload.name),
      h("span", { class: "quiet small figures" }, `${bytes(upload.sent)} of ${bytes(upload.size)} for ${nameOf(contactOf(upload.contact) ?? { id: upload.contact })}`),
      bar(upload.sent, upload.size, upload.name)));
}

function row(transfer) {
  const [look, words] = STATES[transfer.state] ?? ["", transfer.state];
  const running = transfer.state === "running", { progress } = transfer;
  const ours = transfer.direction === "send" || transfer.direction === "fetch";
  return h("li", { key: transfer.id }, icon("file"),
    h("div", { class: "grow" },
      h("strong", { class: "cut" }, titleOf(transfer)),
      h("span", { class: "quiet small figures" }, details(transfer)),
      running && bar(progress.bytes_done, progress.bytes, titleOf(transfer)),
      transfer.message && h("span", { class: "small" }, transfer.message)),
    h("span", { class: `chip ${look}` }, words),
    ours && running && button(transfer, "Pause", "pause"),
    ours && (transfer.state === "paused" || transfer.state === "failed") && button(transfer, "Go on", "resume"),
    ours && (running || transfer.state === "paused") && button(transfer, "Cancel", "cancel"),
    !running && transfer.state !== "paused" && button(transfer, "Forget", ""));
}

function titleOf(transfer) {
  const names = transfer.sources.map((source) => source.replace(/\/+$/, "").split(/[\\/]/).pop() || source);
  return names.length > 1 ? `${names[0]} and ${count(names.length - 1, "more", "more")}` : names[0] || "Files";
}

function details(transfer) {
  const who = nameOf(transfer.contact);
  const { progress } = transfer;
  const size = `${bytes(progress.bytes_done)}${progress.bytes ? ` of ${bytes(progress.bytes)}` : ""}`;
  const parts = [`${WORDS[transfer.direction] ?? ""} ${who}`, size];
  if (progress.files > 1) parts.push(`${progress.files_done} of ${progress.files} files`);
  if (transfer.state === "running") {
    if (progress.bytes_per_second) parts.push(rate(progress.bytes_per_second));
    if (progress.seconds_left) parts.push(`${duration(progress.seconds_left)} left`);
    if (!contactOf(transfer.contact.id)?.connected) parts.push("waits for the device");
    else if (progress.phase !== "copying") parts.push(progress.phase);
  } else parts.push(ago(transfer.changed_ms));
  return parts.join(" · ");
}

function button(transfer, label, verb) {
  return h("button", {
    class: "tiny", "aria-label": `${label}: ${titleOf(transfer)}`,
    onclick: () => attempt(async () => {
      await (verb ? post(`/transfers/${quoted(transfer.id)}/${verb}`) : api("DELETE", `/transfers/${quoted(transfer.id)}`));
      await loadTransfers();
    }),
  }, label);
}
