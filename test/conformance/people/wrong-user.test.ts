import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AccountStore } from "../../../server/db/accounts.ts";
import { Database } from "../../../server/db/database.ts";
import { WorkspaceStore } from "../../../server/db/workspaces.ts";
import type { ErrorCode } from "../../../server/protocol/errors.ts";
import type { WorkspaceDetail } from "../../../server/protocol/workspace.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { createLog } from "../../../server/util/log.ts";
import {
  procedures,
  startTestInstallation,
  TestControlPlane,
  type Called,
  type Credentials,
} from "../../helpers/control-plane.ts";
import { run } from "../../helpers/installation.ts";
import { enterableFolder } from "../../helpers/postgres.ts";
import { insertWorkspace, untilRunning } from "../../helpers/workspace-row.ts";

// Alice owns the installation and everything in it; Mallory is a member; Carol is somebody else.
const lifetime = new Lifetime();
let plane: TestControlPlane;
let database: Database;
let alice: Credentials;
let mallory: { token: Credentials; session: Credentials };
let folder: string;
let program: Server;

/** What is Alice's, by what names it. */
let hers: {
  workspaceId: string;
  key: string;
  publicKey: string;
  credential: string;
  variable: string;
  session: string;
  carol: string;
};
const workspace = "alices-app-main-xkd";
const contextUrl = `https://git.example/${workspace}.git`;
/** Words that stand in nothing but what is Alice's. */
const canaries = [
  ...[workspace, "far-end", "alices-laptop", "alices-phone", "alices-forge", "alices-login"],
  ...["ALICES_VARIABLE", "ALICES_SECRET", "alices-value", "alices-password", "Alice A. Liddell"],
];

beforeAll(async () => {
  const installation = lifetime.own(await startTestInstallation());
  const log = createLog({ level: "silent" });
  database = lifetime.own(await Database.connect(installation.databaseUrl, log));
  await new AccountStore(database).ensureOwner({ id: "alices-id", name: "alice" });
  const { workspaceId } = installation;
  await insertWorkspace(database, { id: workspaceId, name: workspace, ownerId: "alices-id" });
  plane = lifetime.own(await TestControlPlane.start(installation, "wronguse"));
  await untilRunning(database, workspaceId);

  program = createServer((_request, response) => response.end("alices-page"));
  program.listen(0, "127.0.0.1");
  await once(program, "listening");
  lifetime.defer(() => program.close());

  ({ path: folder } = lifetime.own(await enterableFolder()));
  alice = await plane.signIn(plane.signInLink, "token", "alices-laptop");
  const invited = await plane.ok<{ link: string }>("people.invite", { id: "alice" }, alice);
  await plane.signIn(invited.link, "session", "alices-phone");
  const publicKey = await newKey("alice");
  const key = { name: "alices-laptop", publicKey };
  const login = { host: "alices-forge.example", username: "alices-login" };
  const secret = { name: "ALICES_SECRET", value: "alices-value", secret: true };
  const plain = { name: "ALICES_VARIABLE", value: "alices-value" };
  const made = async (name: string, input: unknown): Promise<string> =>
    (await plane.ok<{ id: string }>(name, input, alice)).id;
  await made("variables.set", plain);
  const [sessions] = await Promise.all([
    plane.ok<{ id: string; current: boolean }[]>("sessions.list", {}, alice),
    plane.ok("profile.update", { commitName: "Alice A. Liddell" }, alice),
  ]);
  hers = {
    workspaceId,
    publicKey,
    key: await made("keys.add", key),
    credential: await made("credentials.set", { ...login, secret: "alices-password" }),
    variable: await made("variables.set", secret),
    session: sessions.find(({ current }) => !current)?.id ?? "",
    carol: await made("people.add", { name: "carol" }),
  };
  canaries.push(...Object.values(hers));

  const { link } = await plane.ok<{ link: string }>("people.add", { name: "mallory" }, alice);
  const again = await plane.ok<{ link: string }>("people.invite", { id: "mallory" }, alice);
  mallory = {
    token: await plane.signIn(link, "token"),
    session: await plane.signIn(again.link, "session"),
  };
  await plane.ok("keys.add", { publicKey: await newKey("mallory") }, mallory.token);
});

afterAll(() => lifetime[Symbol.asyncDispose]());

/** Makes a key pair in the folder; gives the public key's line. */
async function newKey(name: string): Promise<string> {
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, name)]);
  return readFile(join(folder, `${name}.pub`), "utf8");
}

type Entry =
  /** Takes the name of something: Alice's gets the answer that one that does not exist gets. */
  | {
      readonly kind: "names";
      readonly refused: ErrorCode;
      /** What is Alice's, by each of its names. */
      readonly real: () => readonly string[];
      readonly input: (name: string) => Record<string, unknown>;
    }
  /** Is of the asker's own things: nothing of Alice's is in the answer, nothing of hers changes. */
  | { readonly kind: "own"; readonly input: () => unknown; readonly refused?: ErrorCode }
  /** Works for whoever asks, and says the same to all. */
  | { readonly kind: "anybody"; readonly input: unknown; readonly refused?: ErrorCode };

const onWorkspace = (more: Record<string, unknown> = {}): Entry => ({
  kind: "names",
  refused: "not-found",
  real: () => [workspace, hers.workspaceId],
  input: (name) => ({ workspace: name, ...more }),
});
const onRow = (which: "key" | "credential" | "variable" | "session"): Entry => ({
  kind: "names",
  refused: "not-found",
  real: () => [hers[which]],
  input: (id) => ({ id }),
});
const ownersOnly = (field: "id" | "name"): Entry => ({
  kind: "names",
  refused: "forbidden",
  real: () => (field === "id" ? [hers.carol, "carol", "alice"] : ["carol", "alice"]),
  input: (name) => ({ [field]: name }),
});
const own = (input: unknown = {}, refused?: ErrorCode): Entry => ({
  kind: "own",
  input: typeof input === "function" ? (input as () => unknown) : () => input,
  ...(refused === undefined ? {} : { refused }),
});

/** Every procedure of the API has its line here. */
const table: Readonly<Record<string, Entry>> = {
  config: { kind: "anybody", input: {} },
  "auth.exchange": {
    kind: "anybody",
    input: { code: "guessed", kind: "token" },
    refused: "sign-in-code-invalid",
  },
  "auth.me": own(),
  "auth.signOut": own(),
  "profile.get": own(),
  "profile.update": own({ commitName: "Mallory" }),
  "keys.list": own(),
  "keys.add": own(() => ({ name: "mine", publicKey: hers.publicKey }), "conflict"),
  "keys.code": own({}, "forbidden"),
  "keys.remove": onRow("key"),
  "credentials.list": own(),
  "credentials.set": own({ host: "forge.example", username: "mallory", secret: "x" }),
  "credentials.remove": onRow("credential"),
  "variables.list": own(),
  "variables.set": own({ name: "MINE", value: "x" }),
  "variables.remove": onRow("variable"),
  "sessions.list": own(),
  "sessions.revoke": onRow("session"),
  "people.list": own({}, "forbidden"),
  "people.add": ownersOnly("name"),
  "people.invite": ownersOnly("id"),
  "people.remove": ownersOnly("id"),
  "workspaces.list": own(),
  "workspaces.watchList": own(),
  // The engine in memory has no git: of whom a workspace of this ref is found, is asked below.
  "workspaces.open": own({ contextUrl }, "engine-failed"),
  "workspaces.preview": own({ contextUrl }, "engine-failed"),
  "workspaces.previewFolder": own({ files: { name: "mine", paths: [], texts: {} } }),
  "workspaces.devfile": own({ contextUrl }, "engine-failed"),
  "workspaces.commands": onWorkspace(),
  "workspaces.show": onWorkspace(),
  "workspaces.watch": onWorkspace(),
  "workspaces.log": onWorkspace({ service: null }),
  "workspaces.start": onWorkspace(),
  "workspaces.stop": onWorkspace(),
  "workspaces.refresh": onWorkspace(),
  "workspaces.restartService": onWorkspace({ service: "far-end" }),
  "workspaces.rebuildService": onWorkspace({ service: "far-end" }),
  "workspaces.serviceSettings": onWorkspace({ service: "far-end" }),
  "workspaces.unsavedWork": onWorkspace(),
  "workspaces.setPortVisibility": onWorkspace({ port: 3000, visibility: "public" }),
  "workspaces.delete": onWorkspace({ force: true }),
  "services.logs": onWorkspace({ follow: true }),
  "services.drift": onWorkspace(),
  "services.driftPage": onWorkspace(),
  "environments.list": own({}, "forbidden"),
  "environments.names": own(),
  "environments.add": own({ name: "mine", dockerHost: "unix:///run/mine.sock" }, "forbidden"),
  "environments.remove": own({ name: "mine" }, "forbidden"),
  "environments.model": own({ name: "none" }, "not-found"),
  "terminals.list": onWorkspace(),
  "terminals.create": onWorkspace(),
  "terminals.close": onWorkspace({ terminal: "1" }),
};

/** All that Alice can see, to be compared. */
async function allOfAlices(): Promise<unknown> {
  const lists = ["keys.list", "credentials.list", "variables.list", "sessions.list", "profile.get"];
  const seen = await Promise.all(
    [...lists, "people.list"].map((name) => plane.ok<unknown>(name, {}, alice)),
  );
  const { state, ports, work } = await plane.ok<WorkspaceDetail>(
    "workspaces.show",
    { workspace },
    alice,
  );
  // What listens is this machine's: the supervisor is in no container.
  const open = ports.filter(({ visibility }) => visibility !== "private");
  const times = /"(lastUsedAt|lastSeenAt)":(null|"[^"]*")/g;
  return JSON.parse(JSON.stringify([seen, state, open, work]).replaceAll(times, '"$1":0'));
}

/** What an answer says, without what the asker said himself. */
function withoutOwnWords({ body }: Called, input: unknown): string {
  const words: string[] = [];
  JSON.stringify(input, (_key, value: unknown) => {
    if (typeof value === "string") words.push(JSON.stringify(value).slice(1, -1), value);
    return value;
  });
  return words.reduce((text, word) => text.replaceAll(word, "…"), body);
}

/** The workspace of `<workspace>.<service>`. */
function ofService(name: string): string {
  return name.split(".")[0] ?? name;
}

function entryOf(name: string): Entry {
  const entry = table[name];
  if (entry === undefined) throw new Error(`${name} has no line in this test's table`);
  return entry;
}

describe("the wrong user", () => {
  it("is tried on every procedure that there is", () => {
    expect(Object.keys(table).sort()).toEqual([...procedures().keys()].sort());
  });

  describe.each([...procedures().keys()])("%s", (name) => {
    it("says nothing of another's, and changes nothing of it", async () => {
      const entry = entryOf(name);
      const before = await allOfAlices();
      // Signing out would end what the other procedures are tried with.
      const asked = name === "auth.signOut" ? await anotherOfMallorys() : mallory.token;
      const inputs =
        entry.kind === "names"
          ? entry.real().map(entry.input)
          : [entry.kind === "own" ? entry.input() : entry.input];
      for (const input of inputs) {
        const called = await plane.call(name, input, asked);
        expect(called.failure?.code, called.body).toBe(entry.refused);
        const said = withoutOwnWords(called, input);
        for (const canary of canaries) expect(said).not.toContain(canary);
      }
      if (entry.kind === "names") {
        const absent = "no-such-thing-of-anybodys";
        const none = await plane.call(name, entry.input(absent), asked);
        for (const real of entry.real()) {
          const called = await plane.call(name, entry.input(real), asked);
          expect(called.status).toBe(none.status);
          expect(called.body.replaceAll(real, absent)).toBe(none.body);
        }
      }
      expect(await allOfAlices()).toEqual(before);
    });

    it("asks who is there before all else", async () => {
      const entry = entryOf(name);
      const input =
        entry.kind === "names"
          ? entry.input(entry.real()[0] ?? "")
          : entry.kind === "own"
            ? entry.input()
            : entry.input;
      for (const nobody of [{}, { token: "oneloop_guessed" }, { cookie: "a=b" }]) {
        const { failure, body } = await plane.call(name, input, nobody);
        const wanted = entry.kind === "anybody" ? entry.refused : "not-signed-in";
        expect(failure?.code, body).toBe(wanted);
      }
    });
  });

  it("would see it all in the owner's place: the names are right", async () => {
    const show = await plane.call("workspaces.show", { workspace }, alice);
    expect(show.body).toContain(hers.workspaceId);
    const watched = await plane.call("workspaces.watch", { workspace }, alice);
    expect(watched.failure).toBeNull();
    expect((await plane.call("terminals.list", { workspace }, alice)).failure).toBeNull();
  });

  it("gets no workspace of another's by opening its repository's ref", async () => {
    const store = new WorkspaceStore(database);
    const { repository, ref, commit } = (await store.byName(workspace)) ?? {};
    const of = (ownerId: string) =>
      store.findOfRef({
        ...{ ownerId, repository: repository ?? "", ref: ref ?? null, commit: commit ?? "" },
      });
    const { id } = await plane.ok<{ id: string }>("auth.me", {}, mallory.token);
    expect((await of("alices-id"))?.name).toBe(workspace);
    expect(await of(id)).toBeNull();
  });

  async function anotherOfMallorys(): Promise<Credentials> {
    const { link } = await plane.ok<{ link: string }>("people.invite", { id: "mallory" }, alice);
    return plane.signIn(link, "token");
  }
});

describe("the other doors", () => {
  const none = "no-such-thing-of-anybodys";
  const portHost = (name: string): string => {
    const { port } = program.address() as AddressInfo;
    return `${port}-${name}.localhost:${plane.port}`;
  };

  /** The cookie of a port's host, by the way that a browser goes. */
  async function portCookie(name: string, who: Credentials): Promise<string> {
    const to = encodeURIComponent(`http://${portHost(name)}/`);
    const sent = await plane.get(`/port-sign-in?to=${to}`, plane.headers(who));
    const next = new URL(sent.headers.location ?? "");
    const signed = await plane.get(next.pathname + next.search, { host: portHost(name) });
    return signed.headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
  }

  it("a private port answers the wrong user as a name that nobody has", async () => {
    for (const accept of ["text/html", "*/*"]) {
      const ask = async (name: string) => {
        const headers = { host: portHost(name), accept, cookie: "a=b" };
        const { status, body, headers: got } = await plane.get("/", headers);
        return { status, body: body.replaceAll(name, none), to: got.location?.replace(name, none) };
      };
      expect(await ask(workspace)).toEqual(await ask(none));
    }
    // Nor does the app sign them in there.
    const signIn = async (name: string) => {
      const to = encodeURIComponent(`http://${portHost(name)}/`);
      const { status, body } = await plane.get(
        `/port-sign-in?to=${to}`,
        plane.headers(mallory.session),
      );
      return { status, body: body.replaceAll(name, none) };
    };
    expect((await signIn(workspace)).status).toBe(400);
    expect(await signIn(workspace)).toEqual(await signIn(none));
  });

  it("and is gone for them when it is taken back", async () => {
    const { port } = program.address() as AddressInfo;
    const set = (visibility: string) =>
      plane.ok("workspaces.setPortVisibility", { workspace, port, visibility }, alice);
    await set("signed-in");
    const cookie = await portCookie(workspace, mallory.session);
    const get = () => plane.get("/", { host: portHost(workspace), cookie });
    expect(await get()).toMatchObject({ status: 200, body: "alices-page" });
    await set("private");
    for (let answer = await get(); answer.status !== 404; answer = await get()) {
      expect(answer.status).toBe(200);
    }
  });

  it("and its owner with the program's page", async () => {
    const { link } = await plane.ok<{ link: string }>("people.invite", { id: "alice" }, alice);
    const session = await plane.signIn(link, "session");
    const cookie = await portCookie(workspace, session);
    expect(await plane.get("/", { host: portHost(workspace), cookie })).toMatchObject({
      status: 200,
      body: "alices-page",
    });
  });

  it("a terminal answers the wrong user as one of a workspace that nobody has", async () => {
    const { id } = await plane.ok<{ id: string }>("terminals.create", { workspace }, alice);
    const attach = async (name: string, who: Credentials) => {
      const { status, body } = await plane.upgrade(`/terminals/${name}/${id}`, plane.headers(who));
      return { status, body: body.replaceAll(ofService(name), none) };
    };
    const nobody = { cookie: "a=b" };
    for (const name of [workspace, hers.workspaceId, `${workspace}.far-end`]) {
      expect((await attach(name, mallory.session)).status).toBe(404);
      expect(await attach(name, mallory.session)).toEqual(await attach(none, mallory.session));
      expect((await attach(name, nobody)).status).toBe(401);
      expect(await attach(name, nobody)).toEqual(await attach(none, nobody));
    }
    const { link } = await plane.ok<{ link: string }>("people.invite", { id: "alice" }, alice);
    expect((await attach(workspace, await plane.signIn(link, "session"))).status).toBe(101);
  });

  it("ssh answers the wrong user as for a name that nobody has", async () => {
    const ssh = async (user: string, name: string) => {
      const { exitCode, stdout, stderr } = await run("ssh", [
        ...["-F", "none", "-i", join(folder, user), "-o", "IdentitiesOnly=yes", "-n"],
        ...["-o", `UserKnownHostsFile=${join(folder, "known_hosts")}`, "-o", "LogLevel=ERROR"],
        ...["-o", "StrictHostKeyChecking=accept-new", "-p", String(plane.sshPort)],
        ...[`${name}@127.0.0.1`, "echo inside"],
      ]);
      return { exitCode, stdout, stderr: stderr.replaceAll(ofService(name), none) };
    };
    expect(await ssh("alice", workspace)).toEqual({ exitCode: 0, stdout: "inside\n", stderr: "" });
    const refused = await ssh("mallory", none);
    expect(refused).toMatchObject({ exitCode: 255, stdout: "" });
    for (const name of [workspace, hers.workspaceId, `${workspace}.far-end`, `${workspace}.none`]) {
      expect(await ssh("mallory", name)).toEqual(refused);
    }
    // With a key that is nobody's, not even that.
    await newKey("stranger");
    expect(await ssh("stranger", workspace)).toEqual(await ssh("stranger", none));
  });
});
