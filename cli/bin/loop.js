#!/usr/bin/env node
// Plain JavaScript: it must say what to do where nothing is built yet.
import { existsSync } from "node:fs";

const built = new URL("../../dist/cli/main.js", import.meta.url);
if (existsSync(built)) {
  const { main } = await import(built.href);
  await main(process.argv);
} else {
  console.error("loop is not built yet. Run `npm start` in its folder once: it builds everything.");
  process.exitCode = 2;
}
