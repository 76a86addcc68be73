// Files from the browser to a device: handed to the daemon, which keeps them and sends them as a transfer.

import { ApiError, post, quoted } from "./api.js";
import { h, icon } from "./dom.js";
import { bytes, nameOf } from "./format.js";
import { attempt, changed, contactOf, loadContacts, loadTransfers, soon, state, tell } from "./store.js";

const uploads = new Map(); // by number: {contact, name, size, sent}
let number = 0;

/** Send files to a contact, one after the other, and say so in the chat. */
export async function sendFiles(contact, files) {
  for (const file of files) {
    number += 1;
    const upload = { id: number, contact: contact.id, name: file.name, size: file.size, sent: 0 };
    uploads.set(upload.id, upload);
    changed();
    await attempt(async () => {
      const transfer = await hand(contact, file, upload);
      soon(loadTransfers, 0);
      await post(`/chat/${quoted(contact.id)}`, {
        text: `${file.name} (${bytes(file.size)})`,
        file: { name: file.name, size: file.size, transfer: transfer.id },
      });
    });
    uploads.delete(upload.id);
    changed();
  }
}

/** With XMLHttpRequest, because fetch tells no progress of what it sends. */
function hand(contact, file, upload) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/v1/transfers/upload?contact=${quoted(contact.id)}&name=${quoted(file.name)}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = (event) => { upload.sent = event.loaded; changed(); };
    request.onerror = () => failed(new ApiError(0, "unreadable", `${file.name} cannot be read (a folder?), or the daemon has gone. It was not sent.`));
    request.onload = () => {
      const { error } = request.response ?? {};
      if (request.status < 300) done(request.response);
      else failed(new ApiError(request.status, error?.code ?? "failed", error?.message ?? `${file.name} was not sent.`));
    };
    request.send(file);
  });
}

/** What is on its way to the daemon, for a contact or all. */
export const uploadsOf = (contact) => [...uploads.values()].filter((upload) => !contact || upload.contact === contact);

/** A file in the chat, with how far it has come. */
export function fileBubble(entry, contact) {
  const transfer = state.transfers.find((found) => found.id === entry.file.transfer);
  const { progress } = transfer ?? {};
  return [
    h("span", { class: "file" }, icon("file"),
      h("span", { class: "tight" },
        h("strong", null, entry.file.name),
        h("span", { class: "small quiet figures" }, words(entry, transfer)))),
    transfer?.state === "running" && bar(progress.bytes_done, progress.bytes || entry.file.size, entry.file.name),
    !entry.mine && transfer?.state !== "done" && !mayWrite(contact)
      && h("button", { class: "tiny", onclick: () => allow(contact) }, `Let ${nameOf(contact)} send files`),
    entry.mine && transfer?.state === "failed"
      && h("button", { class: "tiny", "aria-label": `Try again: ${entry.file.name}`, onclick: () => again(transfer) }, "Try again"),
  ];
}

function words(entry, transfer) {
  const size = bytes(entry.file.size);
  if (transfer?.state === "done") return entry.mine ? `${size}, arrived` : `${size}, in the shared folder, below ${nameOf(transfer.contact)}`;
  if (transfer?.state === "running") {
    const { bytes_done: done, bytes_per_second: speed } = transfer.progress;
    if (!contactOf(transfer.contact.id)?.connected) return `${size}, waits for the device`;
    return `${bytes(done)} of ${size}${speed ? `, ${bytes(speed)}/s` : ""}`;
  }
  return transfer?.message ? `${size}. ${transfer.message}` : size;
}

const mayWrite = (contact) => contact.grants.some((grant) => ["*", "files", "files.write"].includes(grant));

function allow(contact) {
  attempt(async () => {
    await post(`/contacts/${quoted(contact.id)}/grants`, { services: ["files.write"] });
    await loadContacts();
    tell(`${nameOf(contact)} may send files now. It can try again.`);
  });
}

function again(transfer) {
  attempt(async () => {
    await post(`/transfers/${quoted(transfer.id)}/resume`);
    await loadTransfers();
  });
}

export function bar(done, all, name) {
  return h("progress", { value: String(done), max: String(Math.max(1, all)), "aria-label": `Progress of ${name}` });
}
