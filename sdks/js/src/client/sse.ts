/** One of the server-sent events of a stream. */
export interface ServerSentEvent {
  /** Its `event` field; `message` if it has none. */
  readonly kind: string;
  /** Its `data` lines, joined by line ends. */
  readonly data: string;
}

/**
 * The events in the body of an answer (WHATWG HTML, section 9.2.6), as far as the daemon uses them. An event that
 * the end cuts off is dropped, as the standard says.
 */
export async function* parseEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent, void> {
  const decoder = new TextDecoder();
  let parts: string[] = [];
  let kind = "";
  let data: string[] = [];
  for await (const piece of body) {
    const lines = decoder.decode(piece, { stream: true }).split("\n");
    // A long line comes in many pieces: they are put together once, at its end.
    const rest = lines.pop() ?? "";
    if (lines.length > 0) {
      lines[0] = parts.join("") + (lines[0] ?? "");
      parts = [];
    }
    parts.push(rest);
    for (const whole of lines) {
      const line = whole.endsWith("\r") ? whole.slice(0, -1) : whole;
      if (line === "") {
        if (data.length > 0) yield { kind: kind || "message", data: data.join("\n") };
        [kind, data] = ["", []];
        continue;
      }
      const colon = line.indexOf(":");
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
      if (field === "data") data.push(value);
      else if (field === "event") kind = value;
    }
  }
}
