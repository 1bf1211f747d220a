import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type Docker from "dockerode";
import { startBrowser } from "../helpers/browser.ts";
import { DevShell } from "../helpers/dev-shell.ts";
import { docker } from "../helpers/engine-objects.ts";
import { git } from "../helpers/git.ts";
import { startGitServer } from "../helpers/git-server.ts";
import { Installation } from "../helpers/installation.ts";
import { freePort, machineAddress } from "../helpers/ports.ts";
import { BenchClient } from "./client.ts";
import { report, summarize, type Comparison } from "./measure.ts";

const image = "oneloop/workspace:latest";
const source = "/workspace/shop";

/** Answers with a file as it is at each request, and with what two modules were when it began. */
const server = `const { readFileSync } = require("node:fs");
const version = require("./version.js");
const built = require("./built.js");
require("node:http").createServer((request, response) => {
  const started = { "/version": version, "/built": built };
  // While a file takes another's place there is a moment in which there is none.
  try {
    response.end(started[request.url] ?? readFileSync("/app/page.txt"));
  } catch (error) {
    response.writeHead(503).end(error.message);
  }
}).listen(3000);
`;

const files: Readonly<Record<string, string>> = {
  "devfile.yaml": `schemaVersion: 2.2.2
metadata: { name: shop }
attributes: { mirror: compose.yaml }
components:
  - name: dev
    container:
      image: ${image}
      command: [node, --watch, ${source}/desk/server.js]
      endpoints: [{ name: desk, targetPort: 3000 }]
`,
  "desk/server.js": `require("node:http").createServer((request, response) => {
  response.setHeader("content-type", "text/html").end("<h1>" + require("./words.js") + "</h1>");
}).listen(3000);
`,
  "desk/words.js": 'module.exports = "first";\n',
  "compose.yaml": `services:
  shop:
    build: ./shop
    develop:
      watch:
        - { action: sync, path: ./shop/page.txt, target: /app/page.txt }
        - { action: rebuild, path: ./shop/built.js }
`,
  "shop/Dockerfile": `FROM ${image}
USER root
WORKDIR /app
COPY *.js page.txt ./
CMD ["node", "server.js"]
`,
  "shop/server.js": server,
  "shop/version.js": 'module.exports = "first";\n',
  "shop/built.js": 'module.exports = "first";\n',
  "shop/page.txt": "first",
};

/** What is saved, and where the service answers with it. */
interface Edit {
  readonly save: string;
  readonly path: string;
  readonly text: (round: number) => string;
}

/** `npm run bench -- sync [--rounds N]` */
export async function bench(args: readonly string[]): Promise<void> {
  const at = args.indexOf("--rounds");
  const rounds = at === -1 ? 20 : Number(args[at + 1]);
  const folder = await mkdtemp(join(tmpdir(), "oneloop-bench-"));
  const address = machineAddress();
  const port = await freePort();
  await using host = await startGitServer({ root: folder, host: address, port });
  await using installation = await Installation.start({
    env: { ONELOOP_ALLOW_NET: `${address}:${port}`, ONELOOP_LOG_LEVEL: "warn" },
  });
  try {
    await makeRepository(folder);
    const client = await BenchClient.signIn(installation);
    const { id, name } = await client.open(host.url("shop.git"));
    const page: Edit = { save: "shop/page.txt", path: "/", text: (round) => `page ${round}` };
    const version = (round: number): string => `module.exports = "version ${round}";`;
    const again: Edit = { save: "shop/version.js", path: "/version", text: version };
    const built: Edit = { save: "shop/built.js", path: "/built", text: version };
    const synced = await measure(id, { edit: page, rounds });
    const restarted = await measure(id, { edit: again, rounds });
    const seen = await measureInChromium(installation, { id, name }, rounds);
    const rebuilt = await measure(id, { edit: built, rounds: 3 });
    const peer = { name: "image built anew", unit: "ms" as const, samples: rebuilt };
    const comparisons: Comparison[] = [
      {
        what: "save to served, read at each request",
        ours: series(synced),
        peer,
        goal: { below: 300 },
      },
      {
        what: "save to served, command started again",
        ours: series(restarted),
        peer,
        goal: { below: 300 },
      },
      {
        what: "save to seen in Chromium, of the dev container's node --watch",
        ours: series(seen),
        peer,
        goal: { below: 1000 },
      },
    ];
    report(comparisons.map(summarize));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function series(samples: number[]): Comparison["ours"] {
  return { name: "Oneloop", unit: "ms", samples };
}

async function makeRepository(folder: string): Promise<void> {
  const work = join(folder, "work");
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(work, path)), { recursive: true });
    await writeFile(join(work, path), text);
  }
  await git(work, "init", "--quiet", "--initial-branch=main");
  await git(work, "add", "--all");
  await git(work, "commit", "--quiet", "--message", "A shop");
  await git(folder, "clone", "--quiet", "--bare", work, join(folder, "shop.git"));
}

/** Saves as an editor does, and asks every few milliseconds until the answer is the new one. */
const measuring = `
const { renameSync, writeFileSync } = require("node:fs");
const { get } = require("node:http");
const [path, textsJson, wantedJson] = process.argv.slice(1);
const ask = () => new Promise((resolve) => {
  const request = get({ host: "shop", port: 3000, path, agent: false }, (response) => {
    let text = "";
    response.on("data", (piece) => (text += piece)).on("end", () => resolve(text));
  });
  request.on("error", () => resolve(null));
});
const pause = () => new Promise((resolve) => setTimeout(resolve, 5));
(async () => {
  const until = async (wanted) => {
    const began = performance.now();
    for (let answer = await ask(); !wanted(answer); answer = await ask()) {
      if (performance.now() - began > 60_000) throw new Error("it still answers " + answer);
      await pause();
    }
  };
  await until((answer) => answer !== null);
  const texts = JSON.parse(textsJson), wanted = JSON.parse(wantedJson), took = [];
  for (let round = 0; round < texts.length; round += 1) {
    const [save, text] = texts[round];
    const began = performance.now();
    writeFileSync(save + ".new", text);
    renameSync(save + ".new", save);
    await until((answer) => answer === wanted[round]);
    took.push(performance.now() - began);
    // As somebody who saves again: the rounds shall not fall into one another's quiet time.
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  console.log("took " + JSON.stringify(took));
})();
`;

/** In the dev container, beside the service: no proxy of ours is in between. */
async function measure(
  workspace: string,
  { edit, rounds }: { edit: Edit; rounds: number },
): Promise<number[]> {
  const numbers = Array.from({ length: rounds }, (_, round) => round + 1);
  const texts = numbers.map((round) => [`${source}/${edit.save}`, edit.text(round)]);
  const wanted = numbers.map((round) => /"(.*)"/.exec(edit.text(round))?.[1] ?? edit.text(round));
  const exec = await (
    await devContainer(workspace)
  ).exec({
    Cmd: [
      ...["node", "-e", measuring, edit.path],
      ...[JSON.stringify(texts), JSON.stringify(wanted)],
    ],
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await exec.start({ hijack: true, stdin: false });
  let said = "";
  for await (const piece of stream) said += (piece as Buffer).toString("utf8");
  const took = /took (\[.*\])/.exec(said)?.[1];
  if (took === undefined) throw new Error(`nothing was measured: ${said}`);
  return JSON.parse(took) as number[];
}

async function devContainer(workspace: string): Promise<Docker.Container> {
  const filters = { label: [`oneloop.workspace=${workspace}`, "oneloop.role=dev"] };
  const [dev] = await docker.listContainers({ filters });
  if (dev === undefined) throw new Error("no dev container runs");
  return docker.getContainer(dev.Id);
}

/** As somebody who reloads until the page is the new one. */
async function measureInChromium(
  installation: Installation,
  { id, name }: { id: string; name: string },
  rounds: number,
): Promise<number[]> {
  await installation.loop("ports", name, "--set", "3000=public");
  await using browser = await startBrowser();
  using shell = await DevShell.open(await devContainer(id));
  const page = await browser.newPage();
  await page.goto(`http://3000-${name}.localhost:${installation.port}/`);
  const took: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const began = performance.now();
    // In place: Node loses sight of a file that another one is renamed over.
    await shell.run(`echo 'module.exports = "desk ${round}";' > ${source}/desk/words.js`);
    await page.evaluate(async (wanted) => {
      for (const until = performance.now() + 60_000; performance.now() < until;) {
        const response = await fetch("/").catch(() => null);
        if ((await response?.text())?.includes(wanted) === true) return;
      }
    }, `desk ${round}<`);
    await page.reload({ waitUntil: "domcontentloaded" });
    if (!(await page.content()).includes(`desk ${round}<`)) throw new Error("it was never seen");
    took.push(performance.now() - began);
  }
  return took;
}
