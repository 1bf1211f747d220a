import { execFile, spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import {
  addInclude,
  hasInclude,
  isOverHttps,
  removeInclude,
  sshConfigText,
} from "../../../cli/src/ssh-config.ts";
import {
  include,
  isIncluded,
  removeSshConfig,
  sshConfigPlaces,
} from "../../../cli/src/ssh-config-files.ts";
import { workspaceDetail } from "./workspace.ts";

const run = promisify(execFile);

async function home(): Promise<AsyncDisposable & { path: string; ssh: string }> {
  const path = await mkdtemp(join(tmpdir(), "loop home-"));
  const ssh = join(path, ".ssh");
  await mkdir(ssh, { mode: 0o700 });
  return { path, ssh, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** What OpenSSH's client makes of a configuration for a host. */
async function sshG(config: string, host: string): Promise<Record<string, string>> {
  const { stdout } = await run("ssh", ["-G", "-F", config, host]);
  return Object.fromEntries(
    stdout.split("\n").map((line) => [line.split(" ")[0] ?? "", line.replace(/^\S+ /, "")]),
  );
}

const hasSsh = spawnSync("ssh", ["-V"]).error === undefined;

test.skipIf(!hasSsh)("OpenSSH reads a block for each workspace", async () => {
  await using user = await home();
  const places = sshConfigPlaces({ url: "http://127.0.0.1:7700" }, user.path);
  await writeFile(places.config, "Host *\n  User somebody\n  Port 2222\n", { mode: 0o600 });
  await include(places);
  await mkdir(join(user.ssh, "oneloop"));
  const knownHosts = join(user.path, "50% known/hosts");
  const [service] = workspaceDetail.services;
  if (service === undefined) throw new Error("the workspace has a service");
  const several = { ...workspaceDetail, services: [service, { ...service, name: "db" }] };
  const text = sshConfigText([several], {
    url: "http://127.0.0.1:7700",
    knownHosts,
    overHttps: false,
  });
  await writeFile(places.include, text, { mode: 0o600 });

  expect(await sshG(places.config, "govapp-main-abc.db.loop")).toMatchObject({
    hostname: "127.0.0.1",
    port: "7722",
    user: "govapp-main-abc.db",
  });
  expect(await sshG(places.config, "govapp-main-abc.loop")).toMatchObject({
    hostname: "127.0.0.1",
    port: "7722",
    user: "govapp-main-abc",
    hostkeyalias: "oneloop-localhost-7722",
    stricthostkeychecking: "accept-new",
    userknownhostsfile: knownHosts,
  });
  // What the user had for all hosts goes on for theirs.
  expect(await sshG(places.config, "example.org")).toMatchObject({
    user: "somebody",
    port: "2222",
  });
});

const pattern = "/home/ada/.ssh/oneloop/*.conf";

test.each([
  ["an empty file", ""],
  ["a file without a last newline", "Host a\n  User b"],
  ["a file of Windows", "Host a\r\n\tUser b\r\n"],
  ["bytes that are no UTF-8", Buffer.from([0x23, 0xff, 0xfe, 0x0a]).toString("latin1")],
])("%s is the same to the byte after the Include came and went", (_, before) => {
  const after = addInclude(before, pattern);
  expect(after.endsWith(before)).toBe(true);
  expect(hasInclude(after, pattern)).toBe(true);
  expect(addInclude(after, pattern)).toBe(after);
  expect(removeInclude(after, pattern)).toBe(before);
});

test("an Include that is for one host alone is none; one of the user's own is left alone", () => {
  expect(hasInclude(`Host a\n  Include ${pattern}\n`, pattern)).toBe(false);
  expect(hasInclude(`Match user b\nInclude ${pattern}\n`, pattern)).toBe(false);
  const own = `# mine\ninclude "${pattern}"\nHost a\n`;
  expect(hasInclude(own, pattern)).toBe(true);
  expect(addInclude(own, pattern)).toBe(own);
  expect(removeInclude(own, pattern)).toBe(own);
});

test("the file keeps its mode, and a link to it stays a link", async () => {
  await using user = await home();
  const places = sshConfigPlaces({ url: "http://127.0.0.1:7700" }, user.path);
  const real = join(user.path, "dotfiles-ssh-config");
  await writeFile(real, "Host a\n");
  await chmod(real, 0o640);
  await symlink(real, places.config);
  await include(places);
  expect(await readFile(real, "utf8")).toMatch(/^# Added by [^]*\nHost a\n$/);
  expect((await stat(real)).mode & 0o777).toBe(0o640);
  await removeSshConfig(places);
  expect(await readFile(real, "utf8")).toBe("Host a\n");
});

test("the Include goes with the last control plane's file, and a file of ours alone with it", async () => {
  await using user = await home();
  const [one, two] = ["http://127.0.0.1:7700", "https://app.example.org"].map((url) =>
    sshConfigPlaces({ url }, user.path),
  );
  if (one === undefined || two === undefined) throw new Error("two places");
  await mkdir(join(user.ssh, "oneloop"));
  for (const places of [one, two]) {
    await writeFile(places.include, "");
    await include(places);
  }
  await removeSshConfig(one);
  expect(await isIncluded(two)).toBe(true);
  await removeSshConfig(two);
  await expect(stat(two.config)).rejects.toMatchObject({ code: "ENOENT" });
  await expect(stat(join(user.ssh, "oneloop"))).rejects.toMatchObject({ code: "ENOENT" });
});

const choices = { url: "http://127.0.0.1:7700", knownHosts: "/home/ada/known", overHttps: false };

test.each(["a\nProxyCommand evil", "a b", 'a"b', "-oProxyCommand", "a\u001B[2J", "a\0b", "*"])(
  "a name that could be another line (%j) is refused, and nothing is written",
  (name) => {
    const hostile = { ...workspaceDetail, name };
    expect(() => sshConfigText([hostile], choices)).toThrow("cannot stand in ssh's configuration");
    const user = { ...workspaceDetail, ssh: { ...workspaceDetail.ssh, user: name } };
    expect(() => sshConfigText([user], choices)).toThrow("cannot stand in ssh's configuration");
  },
);

test("a file that goes by HTTPS says so, and stays so", () => {
  expect(isOverHttps(sshConfigText([workspaceDetail], choices))).toBe(false);
  const text = sshConfigText([workspaceDetail], { ...choices, overHttps: true });
  expect(isOverHttps(text)).toBe(true);
  expect(text).toMatch(
    /ProxyCommand .* ssh --url http:\/\/127.0.0.1:7700 --stdio govapp-main-abc$/m,
  );
});
