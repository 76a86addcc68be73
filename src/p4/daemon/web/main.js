// Where the page begins.

import { draw, go } from "./app.js";
import { listenForKeys } from "./keys.js";
import { onChange, start } from "./store.js";

onChange(draw);
window.addEventListener("hashchange", go);
listenForKeys();
go();
start();
