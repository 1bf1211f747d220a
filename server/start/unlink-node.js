// Runs after `npm install`. The packages that bring the supervisor's node binary also link it as
// node_modules/.bin/node: npm scripts and npx would then run on that Node instead of the machine's.
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

rmSync(fileURLToPath(new URL("../../node_modules/.bin/node", import.meta.url)), { force: true });
