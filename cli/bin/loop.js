#!/usr/bin/env node
// Plain JavaScript: it must say what to do where nothing is built yet.
import { existsSync } from "node:fs";
import * as nodeModule from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

// From Node 22.8 on, V8 keeps what it compiled: in a folder of the user's own, because what lies in
// a shared one could be another user's program.
nodeModule.enableCompileCache?.(
  join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "oneloop", "compiled"),
);

const built = new URL("../../dist/cli/main.js", import.meta.url);
if (existsSync(built)) {
  const { main } = await import(built.href);
  await main(process.argv);
} else {
  console.error("loop is not built yet. Run `npm start` in its folder once: it builds everything.");
  process.exitCode = 2;
}
