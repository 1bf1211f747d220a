// `npm run bench -- NAME`: builds, then runs dist/test/bench/NAME.js. Plain JavaScript, because it
// runs before the build.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const names = readdirSync(join(root, "test/bench"))
  .filter((file) => file.endsWith(".bench.ts"))
  .map((file) => file.replace(/\.bench\.ts$/, ""));
const [name = "", ...args] = process.argv.slice(2);
if (!names.includes(name)) {
  console.error(`Usage: npm run bench -- NAME, where NAME is one of: ${names.join(", ")}`);
  process.exit(2);
}

function must(commandArgs) {
  const { status } = spawnSync(process.execPath, commandArgs, { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

must(["server/start.js", "--build-only", "--yes"]);
must(["node_modules/typescript/bin/tsc", "-b", "test"]);
// What is measured with another: the mirror's inner loop is the mirror's.
const beside = { mirror: ["sync"] };
for (const one of [name, ...(beside[name] ?? [])]) {
  const entry = join(root, `dist/test/bench/${one}.bench.js`);
  if (!existsSync(entry)) throw new Error(`${entry} was not built`);
  const { bench } = await import(pathToFileURL(entry).href);
  await bench(args);
}
