// `npm run bench -- NAME`: builds, brings the peers, then runs dist/test/bench/NAME.js. Plain
// JavaScript, because it runs before the build.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { installTools, must, root, startDocker } from "../prepare.js";

const names = readdirSync(join(root, "test/bench"))
  .filter((file) => file.endsWith(".bench.ts"))
  .map((file) => file.replace(/\.bench\.ts$/, ""));
const [name = "", ...args] = process.argv.slice(2);
if (!names.includes(name)) {
  console.error(`Usage: npm run bench -- NAME, where NAME is one of: ${names.join(", ")}`);
  process.exit(2);
}

await must("Install and build", process.execPath, ["server/start.js", "--build-only", "--yes"]);
await must("Benchmarks", process.execPath, ["node_modules/typescript/bin/tsc", "-b", "test"]);
/** These measure this process alone. */
const alone = ["cli", "plan"];
if (!alone.includes(name)) {
  await installTools();
  await startDocker();
}
// What is measured with another: the mirror's inner loop is the mirror's.
const beside = { mirror: ["sync"] };
for (const one of [name, ...(beside[name] ?? [])]) {
  const entry = join(root, `dist/test/bench/${one}.bench.js`);
  if (!existsSync(entry)) throw new Error(`${entry} was not built`);
  const { bench } = await import(pathToFileURL(entry).href);
  await bench(args);
}
