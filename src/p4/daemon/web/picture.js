// A link's history, drawn.

import { s } from "./dom.js";
import { clock, duration, moment } from "./format.js";

const WIDTH = 720, HEIGHT = 220, LEFT = 46, TOP = 8, BOTTOM = 46;
const PLOT = HEIGHT - TOP - BOTTOM;

/** @param history the answer of /v1/contacts/{contact}/history */
export function picture(history, name) {
  const { from_ms: from, to_ms: to, points } = history;
  const x = (at) => LEFT + ((Math.min(Math.max(at, from), to) - from) / (to - from)) * (WIDTH - LEFT - 4);
  const known = points.filter((point) => point.median !== null);
  const top = ceiling(Math.max(...known.map((point) => point.most), 0.001));
  const y = (seconds) => TOP + PLOT * (1 - Math.min(seconds, top) / top);
  return s("svg", { class: "picture", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": sentence(history, name) },
    away(history, x),
    [0, 0.5, 1].map((part) => [
      s("line", { class: "axis", x1: LEFT, x2: WIDTH - 4, y1: y(top * part), y2: y(top * part) }),
      s("text", { x: LEFT - 8, y: y(top * part) + 4, "text-anchor": "end" }, part === 0 ? "0" : duration(top * part)),
    ]),
    runs(known, to - from).map((run) => line(run, x, y)),
    history.outages.map((outage) => out(outage, x, to)),
    ways(points, x, to - from),
    times(from, to, x));
}

/** The next round number. */
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 3, 4, 6, 8, 10].map((factor) => factor * power).find((found) => found >= value);
}

/** Points without a hole between them. */
function runs(points, length) {
  const step = Math.max(10000, length / 300);
  const found = [];
  for (const point of points) {
    const last = found.at(-1);
    if (last && point.at_ms - last.at(-1).at_ms < step * 3.5) last.push(point);
    else found.push([point]);
  }
  return found;
}

function line(points, x, y) {
  if (points.length === 1) return s("circle", { class: "dot", cx: x(points[0].at_ms), cy: y(points[0].median), r: 2.5 });
  const at = (value) => (point) => `${x(point.at_ms).toFixed(1)},${y(value(point)).toFixed(1)}`;
  const upper = points.map(at((point) => point.most));
  const lower = points.map(at((point) => point.least)).reverse();
  return [
    s("polygon", { class: "band", points: [...upper, ...lower].join(" ") }),
    s("polyline", { class: "course", points: points.map(at((point) => point.median)).join(" ") }),
  ];
}

function out(outage, x, to) {
  const left = x(outage.began_ms), right = x(outage.ended_ms ?? to);
  const words = outage.ended_ms === null ? "not back yet" : `back after ${duration((outage.ended_ms - outage.began_ms) / 1000)}`;
  return s("g", null, s("title", null, `${moment(outage.began_ms)}: ${outage.reason} (${words})`),
    s("rect", { class: "out", x: left, width: Math.max(2, right - left), y: TOP, height: PLOT }),
    s("rect", { class: "out-edge", x: left, width: Math.max(2, right - left), y: TOP + PLOT, height: 3 }));
}

/** Times in which P4 did not run here. */
function away({ runs: ran, from_ms: from, to_ms: to }, x) {
  const edges = [from, ...ran.flatMap((run) => [run.began_ms, run.ended_ms]), to];
  const found = [];
  for (let n = 0; n < edges.length; n += 2) {
    if (edges[n + 1] - edges[n] > (to - from) / 500) {
      found.push(s("rect", { class: "off", x: x(edges[n]), width: x(edges[n + 1]) - x(edges[n]), y: TOP, height: PLOT }));
    }
  }
  return found;
}

/** Under the plot: which way the link went. */
function ways(points, x, length) {
  const step = Math.max(10000, length / 300);
  const spans = [];
  for (const { at_ms: at, path } of points) {
    const last = spans.at(-1);
    if (last && last.path === path && at - last.to < step * 3) last.to = at + step / 2;
    else if (path) spans.push({ path, from: at - step / 2, to: at + step / 2 });
  }
  return spans.map((span) => s("rect", {
    class: `way ${span.path}`, x: x(span.from), width: Math.max(1.5, x(span.to) - x(span.from)), y: HEIGHT - BOTTOM + 10, height: 5, rx: 1,
  }));
}

function times(from, to, x) {
  return [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const at = from + (to - from) * part;
    return s("text", { x: x(at), y: HEIGHT - 8, "text-anchor": part === 0 ? "start" : part === 1 ? "end" : "middle" },
      part === 1 ? "now" : clock(at));
  });
}

function sentence({ summary, from_ms: from, to_ms: to }, name) {
  const part = summary.connected === null ? "not known" : `${Math.round(summary.connected * 100)} per cent`;
  return `The connection to ${name} in the last ${duration((to - from) / 1000)}: connected ${part} of the time, ` +
    `usual round trip ${duration(summary.round_trip)}, ${summary.outages} outages, usually back after ${duration(summary.recovery)}.`;
}
