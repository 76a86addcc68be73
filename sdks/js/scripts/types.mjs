// Writes build/openapi.ts from the API's document; test/types.check.ts compares our types with it.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";

const document = new URL("../../../spec/daemon-api/openapi.json", import.meta.url);
const written = new URL("../test/openapi.generated.ts", import.meta.url);
const types = astToString(await openapiTS(JSON.parse(readFileSync(document, "utf8"))));
mkdirSync(new URL(".", written), { recursive: true });
writeFileSync(written, `/* eslint-disable */\n${types}`);
