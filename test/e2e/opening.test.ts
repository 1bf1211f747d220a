import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, request as ask, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { WorkspaceDetail, WorkspaceSummary } from "../../server/protocol/workspace.ts";
import { cachePath } from "../../server/repo/repositories.ts";
import { Lifetime } from "../../server/util/lifetime.ts";
import { docker, objectsWith } from "../helpers/engine-objects.ts";
import { git } from "../helpers/git.ts";
import { startGitServer, type GitServer } from "../helpers/git-server.ts";
import { startGitSshServer, type GitSshServer } from "../helpers/git-ssh-server.ts";
import { carryAddresses } from "../helpers/host-addresses.ts";
import { Installation, run, type CommandResult } from "../helpers/installation.ts";
import { freePort, machineAddress } from "../helpers/ports.ts";
import { addCommit, lfsPointer, makeRepository } from "../helpers/repositories.ts";

const address = machineAddress();
const metadataAddress = "169.254.169.254";
/** Nowhere but in the database, sealed, and at the git server may this be found. */
const canary = "canary-7f3a91c2-not-for-anybody";
const large = Buffer.from("a large file, kept elsewhere\n".repeat(100));
const { pointer, oid } = lfsPointer(large);

let folder: string;
let server: GitServer;
let overSsh: GitSshServer;
let oneloop: Installation;
/** Answers every request as `answer` says. */
let odd: {
  port: number;
  requests: IncomingMessage[];
  answer: (request: IncomingMessage) => Answer;
};
/** How many packs ended early. */
let packsCut = 0;
const lifetime = new Lifetime();

type Answer =
  | { readonly redirect: string }
  /** What a real server says there; only the first half of it, where it is a pack. */
  | { readonly passOn: string; readonly halfOfPacks: boolean }
  | "stop in the middle"
  | "ask for a password";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-opening-"));
  lifetime.defer(() => rm(folder, { recursive: true, force: true }));
  const library = await makeRepository(folder, "library", {
    files: { "lib.txt": "of the library\n" },
  });
  await makeRepository(folder, "app", {
    files: {
      "README.md": "An application\n",
      ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n",
      "large.bin": pointer,
      ".gitmodules": [
        '[submodule "library"]\n\tpath = vendor/library\n\turl = ../library.git',
        '[submodule "gone"]\n\tpath = vendor/gone\n\turl = ../gone.git',
        '[submodule "evil"]\n\tpath = vendor/evil\n\turl = ext::touch /tmp/evil\n',
      ].join("\n"),
    },
    prepare: async (tree) => {
      for (const name of ["library", "gone", "evil"]) {
        // Where the folder is missing, git takes the submodule for deleted.
        await mkdir(join(tree, "vendor", name), { recursive: true });
        const entry = `160000,${library.commit},vendor/${name}`;
        await git(tree, "update-index", "--add", "--cacheinfo", entry);
      }
    },
  });
  await makeRepository(folder, "open", { files: { "README.md": "For all\n" } });
  const [port, oddPort, sshPort] = [await freePort(), await freePort(), await freePort()];
  const credentials = { user: "ada", password: canary };
  const lfs = new Map([[oid, large]]);
  server = await startGitServer({ root: folder, host: address, port, credentials, lfs });
  lifetime.own(server);
  odd = await startOddServer(oddPort);
  overSsh = lifetime.own(await startGitSshServer({ root: folder, host: address, port: sshPort }));
  oneloop = await Installation.start({
    env: {
      ONELOOP_ALLOW_NET: [port, oddPort, sshPort].map((one) => `${address}:${one}`).join(","),
    },
  });
  lifetime.own(oneloop);
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "key")]);
  await oneloop.loop("keys", "add", join(folder, "key.pub"));
});

afterAll(() => lifetime[Symbol.asyncDispose]());

async function startOddServer(port: number): Promise<typeof odd> {
  const requests: IncomingMessage[] = [];
  const state: typeof odd = { port, requests, answer: () => "ask for a password" };
  const listening = createServer((request, response) => {
    requests.push(request);
    const answer = state.answer(request);
    if (answer === "ask for a password") {
      response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end();
    } else if (answer === "stop in the middle") {
      response.writeHead(200, { "content-type": "application/x-git-upload-pack-advertisement" });
      response.write("001e# service=git-upload-pack\n");
    } else if ("passOn" in answer) {
      passOn(request, response, answer).catch(() => response.destroy());
    } else {
      response.writeHead(302, { location: answer.redirect }).end();
    }
  }).listen(port, address);
  await once(listening, "listening");
  lifetime.defer(async () => {
    listening.closeAllConnections();
    listening.close();
    await once(listening, "close");
  });
  return state;
}

async function passOn(
  request: IncomingMessage,
  response: ServerResponse,
  { passOn: to, halfOfPacks }: { passOn: string; halfOfPacks: boolean },
): Promise<void> {
  const { host: _host, connection: _connection, ...headers } = request.headers;
  const passed = ask(new URL(request.url ?? "", to), {
    method: request.method ?? "GET",
    headers,
    auth: `ada:${canary}`,
  });
  request.pipe(passed);
  const [answer] = (await once(passed, "response")) as [IncomingMessage];
  const body = await buffer(answer);
  const isPack = body.includes("PACK");
  response.writeHead(answer.statusCode ?? 502, {
    "content-type": answer.headers["content-type"] ?? "",
  });
  if (!isPack || !halfOfPacks) {
    response.end(body);
    return;
  }
  packsCut += 1;
  // Nothing of it may wait in a buffer when the connection goes.
  response.write(body.subarray(0, body.length / 2), () => response.destroy());
}

function ssh(user: string, command: string): Promise<CommandResult> {
  return run("ssh", [
    ...["-F", "none", "-i", join(folder, "key"), "-o", "IdentitiesOnly=yes"],
    ...["-o", `UserKnownHostsFile=${join(folder, "known_hosts")}`],
    ...["-o", "StrictHostKeyChecking=accept-new", "-p", String(oneloop.sshPort)],
    ...[`${user}@localhost`, command],
  ]);
}

async function cacheContainer(): Promise<string> {
  const { containers } = await objectsWith("oneloop.part=cache");
  const cache = containers.find((name) => name.includes(oneloop.id) && name.endsWith("-git"));
  return (cache ?? "").slice(1);
}

async function storeCredential(): Promise<void> {
  const set = await run(
    process.execPath,
    ["cli/bin/loop.js", "credentials", "set", `${address}:${server.port}`, "--username", "ada"],
    { env: oneloop.env, input: `${canary}\n` },
  );
  expect(set.exitCode, set.stderr).toBe(0);
}

async function refusal(
  command: string,
  ...args: string[]
): Promise<{ code: string; message: string }> {
  const { exitCode, stdout } = await oneloop.loop(command, "--json", ...args);
  expect(exitCode).toBe(2);
  return (JSON.parse(stdout) as { error: { code: string; message: string } }).error;
}

describe("a private repository", () => {
  let ws: WorkspaceDetail;

  it("is refused without a credential, with a sentence that says what to do", async () => {
    const error = await refusal("open", server.url("app.git"));
    expect(error.code).toBe("repository-unreachable");
    expect(error.message).toMatch(/credential/);
    expect(error.message).not.toContain(canary);
  });

  it("opens with the user's stored credential, submodules and LFS with it", async () => {
    await storeCredential();
    ws = await oneloop.loopJson<WorkspaceDetail>("open", server.url("app.git"));
    expect(ws).toMatchObject({ state: "running", branch: "main" });
    const read = await ssh(ws.name, "cat /workspace/app/vendor/library/lib.txt");
    expect(read.stdout, read.stderr).toBe("of the library\n");
    // The workspace's own git-lfs makes a file of the pointer, by a task that its start begins.
    const file = await ssh(
      ws.name,
      "cd /workspace/app && while head -c 7 large.bin | grep -q version; do sleep 0.05; done; cat large.bin",
    );
    expect(file.stdout).toBe(large.toString());
    // What could not be had is named; nothing of it was run.
    expect(ws.leftOut.map(({ what }) => what)).toEqual(
      expect.arrayContaining(["submodule vendor/gone", "submodule vendor/evil"]),
    );
    const status = await ssh(
      ws.name,
      "git -C /workspace/app status --porcelain --ignore-submodules=all",
    );
    expect(status.stdout).toBe("");
  });

  it("is pulled from and pushed to inside, by the credential helper", async () => {
    const pushed = await ssh(
      ws.name,
      "cd /workspace/app && git -c user.name=A -c user.email=a@example.org commit -q --allow-empty -m Inside && git push -q origin main && git fetch -q && git pull -q",
    );
    expect(pushed.exitCode, pushed.stderr).toBe(0);
    const head = await ssh(ws.name, "git -C /workspace/app rev-parse HEAD");
    expect(await git(join(folder, "app.git"), "rev-parse", "main")).toBe(head.stdout.trim());
  });

  it("another host's credential is not given, whatever asks", async () => {
    const asked = await ssh(
      ws.name,
      "printf 'protocol=http\\nhost=elsewhere.example\\n\\n' | git credential-cache exit; printf 'protocol=http\\nhost=elsewhere.example\\n\\n' | GIT_TERMINAL_PROMPT=0 git credential fill",
    );
    expect(asked.stdout).not.toContain(canary);
    const own = await ssh(
      ws.name,
      `printf 'protocol=http\\nhost=${address}:${server.port}\\n\\n' | git credential fill`,
    );
    expect(own.stdout, own.stderr).toContain(`password=${canary}`);
  });

  it("the credential is in no log, event, container or answer", async () => {
    const { containers } = await objectsWith(`oneloop.installation=${oneloop.id}`);
    const inspected = await Promise.all(
      containers.map((name) => docker.getContainer(name.slice(1)).inspect()),
    );
    expect(inspected.length).toBeGreaterThan(2);
    expect(JSON.stringify(inspected)).not.toContain(canary);
    const log = await readFile(join(oneloop.dataDir, "test-control-plane.log"), "utf8");
    expect(log).not.toContain(canary);
    const told = await Promise.all([
      oneloop.loop("show", ws.name, "--json"),
      oneloop.loop("credentials", "list", "--json"),
    ]);
    expect(told[1].stdout).toContain("ada");
    expect(JSON.stringify(told)).not.toContain(canary);
  });

  it("the cache answers only after the remote let the asker in", async () => {
    const [stored] = await oneloop.loopJson<{ id: string }[]>("credentials", "list");
    const removed = await oneloop.loop("credentials", "remove", stored?.id ?? "");
    expect(removed.exitCode, removed.stderr).toBe(0);
    const error = await refusal("open", `${server.url("app.git")}/tree/main`);
    expect(error.code).toBe("repository-unreachable");
  });
});

describe("a private repository over ssh", () => {
  it("opens with the user's stored key, and not without", async () => {
    const refused = await refusal("open", overSsh.url("open.git"));
    expect(refused.code).toBe("repository-unreachable");
    expect(refused.message).toMatch(/credential/);
    const { host } = new URL(overSsh.url("open.git"));
    const set = await run(
      process.execPath,
      ["cli/bin/loop.js", "credentials", "set", host, "--username", "git"],
      { env: oneloop.env, input: overSsh.privateKey },
    );
    expect(set.exitCode, set.stderr).toBe(0);
    const opened = await oneloop.loopJson<WorkspaceSummary>("open", overSsh.url("open.git"));
    expect(opened).toMatchObject({ state: "running", branch: "main" });
    expect(overSsh.commands.length).toBeGreaterThan(1);
    const read = await ssh(opened.name, "cat /workspace/open/README.md");
    expect(read.stdout, read.stderr).toBe("For all\n");
    await oneloop.loop("delete", opened.name);
    // The agent that held the key ended with the git that it was for.
    const listed = await run("docker", ["top", await cacheContainer()]);
    expect(listed.exitCode, listed.stderr).toBe(0);
    expect(listed.stdout).not.toContain("ssh-agent");
  });
});

describe("a repository that is not there", () => {
  it("is said to a user without a credential: it may be a private one", async () => {
    const { code, message } = await refusal("open", server.url("none.git"));
    expect(code).toBe("repository-unreachable");
    expect(message).toContain(`${server.url("none.git")} cannot be read`);
    expect(message).toContain(`loop credentials set ${address}:${server.port}`);
  });

  it("is said to a user whom the server let in", async () => {
    await storeCredential();
    const { code, message } = await refusal("open", server.url("none.git"));
    expect(code).toBe("repository-unreachable");
    expect(message).toContain(`${server.url("none.git")} cannot be read`);
    expect(message).toMatch(/not found.*Check the address/);
  });

  it("is said where the server asks nobody for a credential", async () => {
    odd.answer = () => ({ passOn: server.url(""), halfOfPacks: false });
    const { code, message } = await refusal("open", `http://${address}:${odd.port}/none.git`);
    expect(code).toBe("repository-unreachable");
    expect(message).toMatch(/not found.*Check the address/);
  });
});

describe("the same URL again", () => {
  it("returns the same workspace, says how far it is behind, and pulls nothing", async () => {
    const url = `file://${join(folder, "open.git")}`;
    const first = await oneloop.loopJson<WorkspaceSummary>("open", url);
    expect(first.behind === null || first.behind === 0).toBe(true);
    await addCommit(join(folder, "open.git"), "main", { "new.txt": "new\n" });
    await addCommit(join(folder, "open.git"), "main", { "newer.txt": "newer\n" });
    const again = await oneloop.loopJson<WorkspaceSummary>("open", `${url}/tree/main`);
    expect(again).toMatchObject({ id: first.id, behind: 2, commit: first.commit });
    const head = await ssh(first.name, "git -C /workspace/open rev-parse HEAD");
    expect(head.stdout.trim()).toBe(first.commit);
  });

  it("starts the existing one where it was stopped", async () => {
    const url = `file://${join(folder, "open.git")}`;
    const first = await oneloop.loopJson<WorkspaceSummary>("open", url);
    const stopped = await oneloop.loop("stop", first.name);
    expect(stopped.exitCode, stopped.stderr).toBe(0);
    const { state } = await oneloop.loopJson<WorkspaceSummary>("show", first.name);
    expect(state).toBe("stopped");
    const again = await oneloop.loopJson<WorkspaceSummary>("open", url);
    expect(again).toMatchObject({ id: first.id, name: first.name, state: "running" });
    const read = await ssh(again.name, "cat /workspace/open/README.md");
    expect(read.stdout, read.stderr).toBe("For all\n");
  });

  it("an annotated tag is another workspace, detached at the commit that it names", async () => {
    const bare = join(folder, "open.git");
    const commit = await git(bare, "rev-parse", "main~1");
    await git(bare, "tag", "-a", "v1", "-m", "The first version", commit);
    expect(await git(bare, "rev-parse", "v1")).not.toBe(commit);
    const opened = await oneloop.loopJson<WorkspaceSummary>("open", `file://${bare}/tree/v1`);
    expect(opened).toMatchObject({ branch: null, commit });
    const head = await ssh(
      opened.name,
      "git -C /workspace/open symbolic-ref -q HEAD && echo attached; git -C /workspace/open rev-parse HEAD",
    );
    expect(head.stdout, head.stderr).toBe(`${commit}\n`);
    await oneloop.loop("delete", opened.name);
  });

  it("a commit is another workspace, detached", async () => {
    const commit = await git(join(folder, "open.git"), "rev-parse", "main~1");
    const url = `file://${join(folder, "open.git")}/commit/${commit}`;
    const opened = await oneloop.loopJson<WorkspaceSummary>("open", url);
    expect(opened).toMatchObject({ branch: null, commit });
    const head = await ssh(
      opened.name,
      "git -C /workspace/open symbolic-ref -q HEAD; git -C /workspace/open rev-parse HEAD",
    );
    expect(head.stdout.trim()).toBe(commit);
    await oneloop.loop("delete", opened.name);
  });
});

describe("a hostile or broken server", () => {
  const url = (): string => `http://${address}:${odd.port}/acme/app.git`;

  it("a redirect to a private address reaches nothing there", async () => {
    await using _carried = await carryAddresses([metadataAddress]);
    const reached: string[] = [];
    const metadata = createServer((request, response) => {
      reached.push(request.url ?? "");
      response.end("secret");
    }).listen(0, metadataAddress);
    await once(metadata, "listening");
    try {
      const { port } = metadata.address() as AddressInfo;
      odd.answer = () => ({ redirect: `http://${metadataAddress}:${port}/latest/meta-data` });
      expect((await refusal("open", url())).code).toBe("repository-unreachable");
      expect(odd.requests.length).toBeGreaterThan(0);
      expect(reached).toEqual([]);
    } finally {
      metadata.close();
    }
  });

  it("a redirect to another server does not take the credential with it", async () => {
    await storeCredential();
    // The private server redirects nothing itself: the odd one stands in for it under its own name,
    // and sends on to the private one, whose credential belongs to another origin.
    odd.requests.length = 0;
    odd.answer = () => ({ redirect: `${server.url("app.git")}/info/refs?service=git-upload-pack` });
    const before = server.requests.filter(({ user }) => user !== null).length;
    expect((await refusal("open", url())).code).toBe("repository-unreachable");
    expect(server.requests.filter(({ user }) => user !== null)).toHaveLength(before);
    for (const { headers } of odd.requests) expect(headers.authorization).toBeUndefined();
  });

  it("one that stops in the middle is given up, and says so", async () => {
    odd.answer = () => "stop in the middle";
    expect((await refusal("open", url())).code).toBe("repository-unreachable");
  });

  it("one that ends in the middle of a pack leaves nothing, and is asked again", async () => {
    // So many objects that git takes the pack as it is, and begins to write it at once.
    const names = Array.from({ length: 150 }, (_, at) => `${at}.txt`);
    const files = names.map((name) => [name, randomBytes(2000).toString("hex")] as const);
    await makeRepository(folder, "many", { files: Object.fromEntries(files) });
    const many = `http://${address}:${odd.port}/many.git`;
    const before = await oneloop.loopJson<WorkspaceSummary[]>("list");
    odd.answer = () => ({ passOn: server.url(""), halfOfPacks: true });
    const error = await refusal("open", many);
    expect(packsCut).toBe(1);
    expect(error.code).toBe("repository-unreachable");
    expect(error.message).toMatch(new RegExp(`^${many} cannot be read: .+\\. .+\\.$`));
    const after = await oneloop.loopJson<WorkspaceSummary[]>("list");
    expect(after.map(({ id }) => id)).toEqual(before.map(({ id }) => id));
    const left = await run("docker", [
      ...["exec", await cacheContainer(), "find", cachePath, "-name", "tmp_*"],
      ...["-o", "-name", "*.lock"],
    ]);
    expect(left).toMatchObject({ exitCode: 0, stdout: "" });

    odd.answer = () => ({ passOn: server.url(""), halfOfPacks: false });
    const opened = await oneloop.loopJson<WorkspaceSummary>("open", many);
    expect(opened).toMatchObject({ state: "running", branch: "main" });
    const count = await ssh(opened.name, "ls /workspace/many | wc -l");
    expect(count.stdout.trim(), count.stderr).toBe(String(names.length));
    await oneloop.loop("delete", opened.name);
  });

  it.each(["ext::sh -c touch% /tmp/x", "-oProxyCommand=x", "https://u:p@example.org/a/b"])(
    "%s is no repository's URL",
    async (text) => {
      const error = await refusal("open", "--", text);
      expect(error.code).toBe("context-url-invalid");
    },
  );
});
