// How the link to a device is and was.

import { api, post, quoted } from "./api.js";
import { throughput, wayChip } from "./devices.js";
import { h } from "./dom.js";
import { ago, bytes, count, duration, moment, nameOf } from "./format.js";
import { picture } from "./picture.js";
import { attempt, changed, historyOf, loadContacts, onEvent, soon, state, tell } from "./store.js";

const RANGES = [[600, "10 min"], [3600, "1 hour"], [21600, "6 hours"], [86400, "1 day"]];
const POLICIES = [
  ["direct", "Any path: quickest; the device sees this one’s addresses"],
  ["relay-only", "Only over a relay: hides this device’s addresses"],
  ["lan-only", "Only within the local network"],
];

const seen = { id: "", seconds: 3600, history: null };

export function openLink(id) {
  if (seen.id !== id) seen.history = null;
  seen.id = id;
  load();
}

async function load() {
  const { id, seconds } = seen;
  const found = await attempt(() => historyOf(id, seconds));
  if (found && seen.id === id && seen.seconds === seconds) {
    seen.history = found;
    changed();
  }
}

onEvent((kind, data) => {
  if (kind.startsWith("link.") && data.contact.id === seen.id && state.place.tab === "link") soon(load, 400);
});
setInterval(() => { if (state.phase === "in" && state.place.tab === "link" && !document.hidden) load(); }, 10000);

export function viewLink(contact) {
  return h("div", { class: "page" }, now(contact), before(contact));
}

function now(contact) {
  const { path } = contact;
  return h("section", { class: "card", "aria-labelledby": "link-now" },
    h("div", { class: "card-head" }, h("h2", { id: "link-now" }, "Now"), wayChip(contact)),
    h("dl", { class: "values" },
      contact.connected ? [
        h("dt", null, "Round trip"), h("dd", null, duration(contact.round_trip)),
        h("dt", null, "Throughput"), h("dd", null, throughput(contact)),
        path && [h("dt", null, "Path"), h("dd", null, `${path.local_address || "hidden"} → ${path.remote_address || "hidden"}, ${path.protocol}`)],
        path && [h("dt", null, "Carried"), h("dd", null, `${bytes(path.bytes_sent)} sent, ${bytes(path.bytes_received)} received`)],
        contact.lanes && [h("dt", null, "Beside it"), h("dd", null, contact.lanes)],
      ] : [
        h("dt", null, "Why not"), h("dd", null, contact.why_not || "P4 is looking for it."),
        h("dt", null, "Doing"), h("dd", null, contact.state),
        h("dt", null, "Last seen"), h("dd", null, ago(contact.last_seen_ms)),
        contact.next_attempt_ms && [h("dt", null, "Next try"), h("dd", null, `in ${duration(Math.max(0, contact.next_attempt_ms - Date.now()) / 1000)}`)],
      ],
      h("dt", null, "Waiting"), h("dd", null, contact.queued_messages
        ? `${count(contact.queued_messages, "message")}, ${bytes(contact.queued_bytes)}` : "nothing"),
      h("dt", null, "Protocol"), h("dd", null, contact.protocol ? `version ${contact.protocol}` : "not known yet")),
    h("div", { class: "field" },
      h("label", { for: "policy" }, "Paths that may be used"),
      h("select", { id: "policy", key: `policy-${contact.id}`, onchange: (event) => choose(contact, event.target) },
        POLICIES.map(([value, text]) => h("option", { value, selected: contact.policy === value }, text)))),
    contact.connected && h("div", { class: "line" },
      h("button", { class: "tiny", onclick: () => renew(contact) }, "Renew the connection"),
      h("span", { class: "quiet small" }, "Nothing is lost by it.")));
}

function choose(contact, box) {
  attempt(async () => {
    try {
      await api("PUT", `/contacts/${quoted(contact.id)}/policy`, { policy: box.value });
      tell("The connection is made anew that way.");
    } catch (error) {
      box.value = contact.policy;
      throw error;
    }
    await loadContacts();
  });
}

function renew(contact) {
  attempt(async () => {
    await post(`/contacts/${quoted(contact.id)}/drop`);
    tell(`The connection to ${nameOf(contact)} is made anew.`);
  });
}

function before(contact) {
  const { history } = seen;
  return h("section", { class: "card", "aria-labelledby": "link-before" },
    h("div", { class: "card-head" },
      h("h2", { id: "link-before" }, "History"),
      h("div", { class: "switch", role: "group", "aria-label": "How far back" }, RANGES.map(([seconds, label]) =>
        h("button", {
          "aria-pressed": String(seen.seconds === seconds),
          onclick: () => { seen.seconds = seconds; load(); changed(); },
        }, label)))),
    history ? [tiles(history.summary), picture(history, nameOf(contact)), legend(), outages(history)] : h("p", { class: "quiet" }, "One moment…"));
}

function tiles(summary) {
  const part = summary.connected === null ? "–" : `${(summary.connected * 100).toFixed(summary.connected > 0.9995 ? 0 : 1)} %`;
  return h("div", { class: "tiles" }, [
    [part, "of the time connected"],
    [duration(summary.round_trip), "usual round trip"],
    [String(summary.outages), summary.outages === 1 ? "outage" : "outages"],
    [duration(summary.recovery), "usual time to be back"],
    [duration(summary.longest), "longest outage"],
  ].map(([figure, meaning]) => h("p", { class: "tile" }, h("b", null, figure), h("span", { class: "quiet small" }, meaning))));
}

function legend() {
  return h("p", { class: "legend" },
    h("span", null, h("i", null), "round trip, and its range"),
    h("span", null, h("i", { class: "out" }), "outage"),
    h("span", null, h("i", { class: "relay" }), "over a relay"),
    h("span", null, h("i", { class: "off" }), "P4 did not run here"));
}

function outages(history) {
  if (history.outages.length === 0) return h("p", { class: "quiet small" }, "No outage in this time.");
  return h("details", null,
    h("summary", null, `${count(history.outages.length, "outage")} in words`),
    h("ul", { class: "rows" }, history.outages.slice(-30).reverse().map((outage) => h("li", null,
      h("div", { class: "grow" },
        h("span", { class: "figures" }, moment(outage.began_ms)),
        h("span", { class: "quiet small" }, outage.reason)),
      h("span", { class: "figures nowrap" }, outage.ended_ms === null ? "still out"
        : outage.recovered ? `back after ${duration((outage.ended_ms - outage.began_ms) / 1000)}` : "until P4 ended")))));
}
