// Builds dist/esm and dist/cjs. The two differ in the form of their modules only.
import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const compiler = createRequire(import.meta.url).resolve("typescript/bin/tsc");
rmSync(`${root}dist`, { recursive: true, force: true });
for (const project of ["tsconfig.json", "tsconfig.cjs.json"]) {
  execFileSync(process.execPath, [compiler, "-p", project], { cwd: root, stdio: "inherit" });
}
writeFileSync(`${root}dist/cjs/package.json`, '{ "type": "commonjs" }\n');
