import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Claim } from "../../../workspace-image/supervisor/claim.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-claim-"));
  path = join(folder, "entered.sock");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function first(): Promise<Claim> {
  const claim = await Claim.at(path);
  if (typeof claim === "string") throw new Error(`another one has it: ${claim}`);
  return claim;
}

test("who comes second hears of the first, also where that has yet to begin", async () => {
  await using claim = await first();
  const waiting = Claim.at(path);
  let asked = 0;
  claim.tell('{"port":22023}', () => (asked += 1));
  expect(await waiting).toBe('{"port":22023}');
  expect(await Claim.at(path)).toBe('{"port":22023}');
  expect(asked).toBe(2);
});

test("a first one that ends before it began leaves its place to the second", async () => {
  const claim = await first();
  const waiting = Claim.at(path);
  // It has connected: the first one's end is what it hears of.
  await new Promise((resolve) => setImmediate(resolve));
  await claim[Symbol.asyncDispose]();
  const second = await waiting;
  expect(second).toBeInstanceOf(Claim);
  if (second instanceof Claim) await second[Symbol.asyncDispose]();
  expect(existsSync(path)).toBe(false);
});

test("what one that was killed left is nobody's", async () => {
  const listen = `require("net").createServer().listen(${JSON.stringify(path)}, () => console.log(1))`;
  const killed = spawn(process.execPath, ["-e", listen], { stdio: ["ignore", "pipe", "inherit"] });
  await once(killed.stdout, "data");
  killed.kill("SIGKILL");
  await once(killed, "close");
  expect(existsSync(path)).toBe(true);
  await using claim = await first();
  expect(claim).toBeInstanceOf(Claim);
});
