// `npm test`. Plain JavaScript up to the point where the dependencies are installed: it installs,
// builds, brings what the tests need beside Node (as root on Debian), checks, and runs all tests.
//
//   npm test                 everything
//   npm test -- unit         the unit tests
//   npm test -- real         the conformance and end-to-end tests
//   npm test -- FILE …       these files
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installTools, must, run, startDocker } from "./prepare.js";

const args = process.argv.slice(2);
const unitOnly = args.length === 1 && args[0] === "unit";
const everything = args.length === 0;

await must("Install and build", process.execPath, ["server/start.js", "--build-only", "--yes"]);
if (everything) await must("npm run check", "npm", ["run", "--silent", "check"]);
if (!unitOnly) {
  await installTools();
  await startDocker();
}

const folder = mkdtempSync(join(tmpdir(), "oneloop-results-"));
const results = join(folder, "results.json");
console.log("\n— Tests");
/** By the word of the command line, the projects of vitest.config.ts. */
const projects = { unit: ["unit"], real: ["real", "alone"] };
const selection = args.flatMap(
  (arg) => projects[arg]?.flatMap((project) => ["--project", project]) ?? [arg],
);
const code = await run(process.execPath, [
  ...["node_modules/vitest/vitest.mjs", "run", "--reporter=default", "--reporter=json"],
  ...[`--outputFile.json=${results}`, ...selection],
]);
if (!existsSync(results)) process.exit(code === 0 ? 1 : code);
const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(
  readFileSync(results, "utf8"),
);
rmSync(folder, { recursive: true });
console.log(`\n${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped`);
process.exit(code);
