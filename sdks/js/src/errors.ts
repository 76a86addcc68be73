/** What an error carries besides its sentence. */
export interface ErrorDetails {
  /** For programs; see the codes of each method. */
  code: string;
  /** Class of the error in the daemon, such as `ContactError`. */
  type?: string;
  /** What else belongs to it. */
  data?: Readonly<Record<string, unknown>>;
  /** HTTP status of the daemon's answer; 0 if it did not come from one. */
  status?: number;
  /** What it was made from. */
  cause?: unknown;
}

/**
 * Everything that goes wrong in this package, on the way to the daemon, in it, or at the contact.
 *
 * `message` is a sentence for a person: what happened, what is safe, what to do next. `code` is for programs.
 */
export class P4Error extends Error {
  /** What happened, for programs, such as `unknown` or `no-daemon`. */
  readonly code: string;
  /** Class of the error in the daemon, such as `ContactError` or `CallRefusedError`. */
  readonly type: string;
  /** What else belongs to it. */
  readonly data: Readonly<Record<string, unknown>>;
  /** HTTP status of the daemon's answer; 0 if it did not come from one. */
  readonly status: number;

  constructor(message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "P4Error";
    this.code = details.code;
    this.type = details.type ?? "LocalError";
    this.data = details.data ?? {};
    this.status = details.status ?? 0;
  }

  /** Of a call that has no result: whether it may have been executed all the same. */
  get mayHaveRun(): boolean {
    return this.data["may_have_run"] === true;
  }
}

/** Thrown by the handler of a service: reaches the caller as it is. As a caller you get it as `P4Error`, too. */
export class CallFailed extends P4Error {
  /**
   * @param code - of your own choice.
   * @param message - a sentence for a person.
   * @param data - JSON that the caller gets as `error.data.data`.
   */
  constructor(code: string, message: string, data: unknown = null) {
    super(message, { code, type: "CallFailed", data: { type: "CallFailed", data } });
    this.name = "CallFailed";
  }
}

/** The error that the daemon's `{"code", "message", "data"}` describes. */
export function errorFromObject(entry: unknown, status: number): P4Error {
  const { code, message, data } = (entry ?? {}) as Record<string, unknown>;
  if (typeof code !== "string" || typeof message !== "string") return unexplained(status);
  const details = isObject(data) ? data : {};
  const type = typeof details["type"] === "string" ? details["type"] : typeOfStatus(status);
  if (type === "CallFailed") {
    const failed = new CallFailed(code, message, details["data"] ?? null);
    return failed;
  }
  return new P4Error(message, { code, type, data: details, status });
}

/** The error of an HTTP answer with a status of 400 or above, whatever its body is. */
export function errorFromAnswer(status: number, body: string): P4Error {
  let entry: unknown;
  try {
    entry = (JSON.parse(body) as Record<string, unknown>)["error"];
  } catch {
    return unexplained(status);
  }
  return errorFromObject(entry, status);
}

function unexplained(status: number): P4Error {
  return new P4Error(
    `The daemon answered with status ${String(status)} and without a reason. What was accepted before is safe. ` +
      "Look into its log: p4 log",
    { code: `status-${String(status)}`, status },
  );
}

function typeOfStatus(status: number): string {
  if (status === 404) return "ContactError";
  return [400, 409, 413, 422].includes(status) ? "InputError" : "LocalError";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
