// The daemon's API (spec/daemon-api). Errors are the daemon's own sentences.

export class ApiError extends Error {
  constructor(status, code, message, data) {
    super(message);
    this.status = status;
    this.code = code;
    this.data = data ?? {};
  }
}

const AWAY = "P4’s daemon does not answer. Start it with: p4 up";

async function failure(answer) {
  try {
    const { error } = await answer.json();
    return new ApiError(answer.status, error.code, error.message, error.data);
  } catch {
    return new ApiError(answer.status, "failed", `The daemon answered with status ${answer.status}.`);
  }
}

/** A request; gives the JSON of the answer, null for an empty one. Raises ApiError. */
export async function api(method, path, body) {
  let answer;
  try {
    answer = await fetch(`/v1${path}`, {
      method,
      credentials: "same-origin",
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new ApiError(0, "no-daemon", AWAY);
  }
  if (!answer.ok) throw await failure(answer);
  return answer.status === 204 ? null : answer.json();
}

export const get = (path) => api("GET", path);
export const post = (path, body) => api("POST", path, body ?? {});
export const quoted = encodeURIComponent;

/**
 * What happens in the daemon, until the page goes.
 * @param take called with (kind, data) of each event
 * @param changed called with whether the daemon answers, and 401 as its status if the browser is logged out
 */
export async function follow(take, changed) {
  for (;;) {
    try {
      const answer = await fetch("/v1/events", { credentials: "same-origin", cache: "no-store" });
      if (!answer.ok) throw await failure(answer);
      changed(true, answer.status);
      await read(answer.body, take);
      changed(false, 0);
    } catch (error) {
      changed(false, error.status ?? 0);
      if (error.status === 401) return;
    }
    await new Promise((done) => { setTimeout(done, 1500); });
  }
}

async function read(body, take) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (waiting + value).split("\n\n");
    waiting = events.pop();
    for (const event of events) {
      let kind = "", data = "";
      for (const line of event.split("\n")) {
        if (line.startsWith("event:")) kind = line.slice(6).trim();
        else if (line.startsWith("data:")) data += line.slice(5);
      }
      if (kind) take(kind, data ? JSON.parse(data) : {});
    }
  }
}
