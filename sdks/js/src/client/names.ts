/** A name of the API in the spelling of JavaScript: `round_trip` is `roundTrip`. */
export type CamelName<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelName<Tail>>}`
  : Name;

/** A JSON value of the API with its names in the spelling of JavaScript. */
export type Camel<T> = T extends readonly (infer Item)[]
  ? Camel<Item>[]
  : T extends object
    ? { [Key in keyof T as Key extends string ? CamelName<Key> : Key]: Camel<T[Key]> }
    : T;

/** Members whose insides are somebody else's. */
const FOREIGN = new Set(["value", "data", "versions"]);

/** The value with its names in the spelling of JavaScript; what is a user's own stays as it is. */
export function camel(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camel);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replace(/(?!^)_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
      FOREIGN.has(key) ? (inner as unknown) : camel(inner),
    ]),
  );
}
