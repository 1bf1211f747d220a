import { once } from "node:events";
import { afterAll, beforeAll, test } from "vitest";
import type { WorkspaceDetail } from "../../../server/protocol/workspace.ts";
import { startBrowser, type TestBrowser } from "../../helpers/browser.ts";
import { SshWorld } from "../../helpers/ssh-world.ts";

const host = "served";
const port = 8080;

let world: SshWorld;
let browser: TestBrowser;
let workspace: WorkspaceDetail;

beforeAll(async () => {
  world = await SshWorld.start();
  workspace = await world.open(host, { "hello.txt": "from the workspace\n" });
  browser = await startBrowser();
  world.defer(() => browser[Symbol.asyncDispose]());
});
afterAll(() => world?.[Symbol.asyncDispose]());

/**
 * As a person installs it, except for what would take minutes: native modules that only extensions
 * and terminals need are not compiled, and argon2 is a version that npm has compiled. 4.100 is the
 * last that runs on Node 20.
 */
const install = `set -e
mkdir ~/editor && cd ~/editor
echo '{ "overrides": { "argon2": "0.43.1" } }' > package.json
npm install --ignore-scripts --no-audit --no-fund code-server@4.100.3
cd node_modules/code-server/lib/vscode
npm install --omit=dev --ignore-scripts --no-audit --no-fund
ln -s node_modules node_modules.asar
`;

test("code-server from npm, installed over ssh, serves its page at the port's address", async () => {
  await world.sh(host, install);
  const child = world.start([
    host,
    `exec node ~/editor/node_modules/code-server/out/node/entry.js --auth none --disable-telemetry ` +
      `--disable-update-check --bind-addr 127.0.0.1:${port} /workspace/${host}`,
  ]);
  let said = "";
  while (!said.includes("HTTP server listening")) {
    const [piece] = (await once(child.stdout, "data")) as [Buffer];
    said += String(piece);
  }
  const page = await browser.newPage();
  await page.goto(world.oneloop.signInLink);
  await page.waitForURL((url) => url.pathname === "/");
  await page.goto(`http://${port}-${workspace.name}.localhost:${world.oneloop.port}/`);
  // The file comes over the editor's own WebSocket.
  await page.getByRole("treeitem", { name: "hello.txt" }).first().waitFor({ timeout: 60_000 });
  child.kill();
});
