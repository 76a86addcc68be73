import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

function upwards(from: string, name: string): string {
  if (existsSync(join(from, name))) return from;
  if (dirname(from) === from) throw new Error(`there is no ${name} above here`);
  return upwards(dirname(from), name);
}

/** The directory of this package. */
export const PACKAGE = upwards(dirname(fileURLToPath(import.meta.url)), "package-lock.json");
/** That of the whole project. */
export const REPOSITORY = upwards(PACKAGE, "vectors");
