// What is wrong, and what to do.

import { get } from "./api.js";
import { h, icon } from "./dom.js";
import { ago } from "./format.js";
import { attempt, changed, state } from "./store.js";

const found = { busy: false, findings: null, at: 0 };
const KINDS = { ok: ["good", "fine"], warn: ["warn", "look at this"], bad: ["bad", "wrong"] };
const ORDER = ["bad", "warn", "ok"];

async function examine(tor) {
  found.busy = true;
  changed();
  const answer = await attempt(() => get(`/doctor?tor=${tor}`));
  if (answer) {
    found.findings = answer.findings;
    found.at = Date.now();
  }
  found.busy = false;
  changed();
}

export function viewDoctor() {
  const { status } = state;
  return h("div", { class: "page" },
    h("div", { class: "page-head" },
      h("div", null, h("h1", null, "Doctor"), h("p", { class: "quiet" }, "Looks at network, Tor, clock and files, and says what to do.")),
      h("div", { class: "actions" },
        h("button", { class: "primary", disabled: found.busy, onclick: () => examine(false) }, icon("health"), found.busy ? "Looking…" : "Examine"),
        h("button", { disabled: found.busy, onclick: () => examine(true) }, "With Tor (takes longer)"))),
    h("section", { class: "card", "aria-labelledby": "reach" },
      h("div", { class: "card-head" }, h("h2", { id: "reach" }, "Reachability"),
        h("span", { class: `chip ${status.reachable ? "good" : "warn"}` }, status.reachable ? "reachable" : "not yet")),
      h("p", null, status.reachability),
      h("dl", { class: "values" },
        h("dt", null, "Address"), h("dd", { class: "mono small" }, status.addresses.join(", ") || "none"),
        h("dt", null, "Tried out"), h("dd", null, ago(status.checked_ms)),
        h("dt", null, "Router"), h("dd", null, status.mappings.join(", ") || "passes no port on"),
        h("dt", null, "Local network"), h("dd", null, status.lan ? "can be found" : "not searched"))),
    h("div", { role: "status", "aria-live": "polite" },
      found.busy && h("p", { class: "note" }, "Looking. This takes a few seconds…"),
      !found.busy && found.findings && results()));
}

function results() {
  const sorted = [...found.findings].sort((one, other) => ORDER.indexOf(one.level) - ORDER.indexOf(other.level));
  return h("section", { class: "card", "aria-labelledby": "findings" },
    h("div", { class: "card-head" }, h("h2", { id: "findings" }, "What was found"), h("span", { class: "quiet small" }, ago(found.at))),
    h("ul", { class: "rows" }, sorted.map((finding) => {
      const [look, words] = KINDS[finding.level] ?? KINDS.warn;
      return h("li", null,
        h("div", { class: "grow" },
          h("strong", null, finding.subject),
          h("span", null, finding.text),
          finding.advice && h("span", { class: "quiet small" }, finding.advice)),
        h("span", { class: `chip ${look}` }, words));
    })));
}
