// Ports of one device at another: forwards, and what this device shares.

import { api, post, quoted } from "./api.js";
import { confirm, field, form } from "./dialogs.js";
import { h, icon } from "./dom.js";
import { bytes, count, nameOf } from "./format.js";
import { loadForwards, state, tell } from "./store.js";

export function viewPorts() {
  const all = state.forwards ?? [];
  return h("div", { class: "page" },
    h("div", { class: "page-head" },
      h("div", null, h("h1", null, "Ports"), h("p", { class: "quiet" }, "Reach a program of another device as if it ran here.")),
      h("div", { class: "actions" },
        h("button", { onclick: share }, icon("shared"), "Share a port"),
        h("button", { class: "primary", disabled: state.contacts.length === 0, onclick: open }, icon("ports"), "Open a port"))),
    all.length === 0 ? nothing() : [
      list("Opened here", all.filter((tunnel) => tunnel.kind === "forward")),
      list("Shared by this device", all.filter((tunnel) => tunnel.kind === "serve")),
    ]);
}

function nothing() {
  return h("div", { class: "empty" }, icon("ports"),
    h("h2", null, "No ports yet"),
    h("p", null, "A web server, a database, a camera: share its port on the device where it runs, under a name, and open it on the other. It stays open when you travel."),
    h("ol", { class: "steps" },
      h("li", null, "On the device with the program: Share a port."),
      h("li", null, "On the other device: Open a port, with the same name.")));
}

function list(title, tunnels) {
  if (tunnels.length === 0) return null;
  return h("section", { class: "card", "aria-label": title },
    h("h2", null, title),
    h("ul", { class: "rows" }, tunnels.map(row)));
}

function row(tunnel) {
  const { figures } = tunnel;
  const here = `${tunnel.host}:${tunnel.port}`;
  const forward = tunnel.kind === "forward";
  return h("li", { key: tunnel.id },
    icon(forward ? "ports" : "shared"),
    h("div", { class: "grow" },
      h("strong", { class: "cut" }, forward ? `${here} → ${tunnel.name} of ${nameOf(tunnel.contact)}` : `${tunnel.name} → ${here}`),
      h("span", { class: "quiet small figures" },
        `${tunnel.protocol.toUpperCase()} · ${count(figures.open, "connection")} open · ${bytes(figures.sent)} sent, ${bytes(figures.received)} received`),
      !forward && h("span", { class: "quiet small" }, tunnel.allowed.length ? `For ${tunnel.allowed.join(", ")}` : "Nobody may use it yet: grant it to a device"),
      tunnel.problem && h("span", { class: "small note warn" }, tunnel.problem)),
    h("span", { class: `chip ${tunnel.active ? "good" : "warn"}` }, tunnel.active ? "open" : "waiting"),
    h("button", { class: "tiny danger", "aria-label": `End ${tunnel.name}`, onclick: () => end(tunnel) }, "End"));
}

function open() {
  form("Open a port of another device", () => [
    field("Device", { name: "contact", options: state.contacts.map((contact) => [contact.id, nameOf(contact)]) }),
    field("Name", { name: "name", required: true, placeholder: "web", pattern: "[a-z0-9_.\\-]+" }, "Under which that device shares it. It may also be a port number that it shares."),
    h("div", { class: "fields" },
      field("Port here", { name: "port", type: "number", min: "0", max: "65535", value: "0" }, "0: any that is free."),
      field("Kind", { name: "protocol", options: [["tcp", "TCP"], ["udp", "UDP"]] })),
  ], "Open", async ({ contact, name, port, protocol }) => {
    const made = await post("/forwards", { kind: "forward", contact, name, port: Number(port), protocol });
    tell(`Open at ${made.host}:${made.port}`);
    await loadForwards();
  });
}

function share() {
  form("Share a port of this device", () => [
    h("div", { class: "fields" },
      field("Port", { name: "port", type: "number", min: "1", max: "65535", required: true, placeholder: "8080" }, "Where the program listens."),
      field("Host", { name: "host", value: "127.0.0.1", required: true })),
    h("div", { class: "fields" },
      field("Name", { name: "name", required: true, placeholder: "web", pattern: "[a-z0-9_.\\-]+" }, "For the other devices."),
      field("Kind", { name: "protocol", options: [["tcp", "TCP"], ["udp", "UDP"]] })),
    field("Who may use it", { name: "to", options: [["", "Nobody yet"], ...state.contacts.map((contact) => [contact.id, nameOf(contact)])] }),
  ], "Share", async ({ port, host, name, protocol, to }) => {
    await post("/forwards", { kind: "serve", name, host, port: Number(port), protocol, to: to ? [to] : [] });
    await loadForwards();
  });
}

function end(tunnel) {
  confirm(`End ${tunnel.name}?`, "Its connections end at once, and what was granted with it is taken back.", "End", async () => {
    await api("DELETE", `/forwards/${quoted(tunnel.id)}`);
    await loadForwards();
  });
}
