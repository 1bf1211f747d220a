import { once } from "node:events";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { createServer as createSocketServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { parseDockerHost } from "../../../server/engine/docker/read-only.ts";
import type { ErrorCode } from "../../../server/protocol/errors.ts";
import { OneloopError } from "../../../server/protocol/errors.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { lookAt, overview } from "../../../server/workspaces/environment-containers.ts";
import { testAuthority } from "../../helpers/certificates.ts";
import { image, imageId, inspected, listed } from "../sources/containers/engine.ts";
import { stopwatch } from "../../helpers/stopwatch.ts";

let lifetime = new Lifetime();
afterEach(async () => {
  await lifetime[Symbol.asyncDispose]();
  lifetime = new Lifetime();
});

/** Something that answers where an engine should; its DOCKER_HOST. */
async function answering(listener: RequestListener): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "ol-look-"));
  const path = join(folder, "docker.sock");
  const server = createServer(listener).listen(path);
  await once(server, "listening");
  lifetime.defer(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
    await rm(folder, { recursive: true });
  });
  return `unix://${path}`;
}

const web = { name: "shop-web-1", project: "shop", service: "web" };

/** An honest engine with one container; `asked` is what it was asked for. */
function honest(asked: string[], answers: Readonly<Record<string, unknown>> = {}): RequestListener {
  const all: Record<string, unknown> = {
    "/containers/json?all=1": [listed(web)],
    [`/containers/${listed(web).Id}/json`]: inspected(web),
    [`/images/${imageId}/json`]: image,
    "/networks": [{ Name: "shop_default", Internal: false }],
    ...answers,
  };
  return ({ method, url = "" }, response) => {
    asked.push(`${method} ${url}`);
    const answer = all[url];
    response.statusCode = answer === undefined ? 404 : 200;
    response.end(JSON.stringify(answer ?? { message: "no such object" }));
  };
}

const look = (dockerHost: string, project: string | null = null) =>
  lookAt({ dockerHost, certificates: null }, { name: "production", project });

async function refusal(asked: Promise<unknown>): Promise<OneloopError> {
  const error: unknown = await asked.then(
    () => new Error("it was not refused"),
    (thrown: unknown) => thrown,
  );
  if (error instanceof OneloopError) return error;
  throw error;
}

test("an engine is asked for its containers, their images and its networks, by GET alone", async () => {
  const asked: string[] = [];
  const { model, title } = await look(await answering(honest(asked)));
  expect(title).toBe("production (project shop)");
  expect(model.services).toHaveLength(1);
  expect(asked.every((each) => each.startsWith("GET "))).toBe(true);
  expect(asked).toHaveLength(4);
});

test("what is gone meanwhile is passed over", async () => {
  const gone = listed({ ...web, name: "shop-web-2" });
  const asked: string[] = [];
  const list = { "/containers/json?all=1": [listed(web), gone] };
  const { model } = await look(await answering(honest(asked, list)));
  expect(model.services[0]?.replicas).toMatchObject({ value: 1 });
});

test("what does not run is named in the title", async () => {
  const gone = { project: "shop", service: "gone", name: "shop-gone-1", state: "exited" };
  const ended = { ...gone, exitCode: 137 };
  const host = await answering(
    honest([], {
      "/containers/json?all=1": [listed(web), listed(ended), listed({ name: "watchtower" })],
      [`/containers/${listed(ended).Id}/json`]: inspected(ended),
    }),
  );
  expect((await look(host)).title).toBe(
    "production (project shop, without container shop-gone-1: It ended with status 137.)",
  );
});

test("the choice between projects is named", async () => {
  const other = listed({ name: "blog-web-1", project: "blog", service: "web" });
  const host = await answering(honest([], { "/containers/json?all=1": [listed(web), other] }));
  const error = await refusal(look(host));
  expect(error).toMatchObject({ code: "choice-needed" });
  expect(error.message).toContain("blog, shop");
  expect((await look(host, "shop")).model.services).toHaveLength(1);
  expect(await refusal(look(host, "shoq"))).toMatchObject({ code: "not-found" });
  expect(await overview({ dockerHost: host, certificates: null }, "p")).toEqual({
    ...{ projects: ["blog", "shop"], running: 2 },
  });
});

/** Ways to be no engine: what is answered to everything. */
const liars: Readonly<Record<string, readonly [ErrorCode, RequestListener]>> = {
  "says nothing of sense": ["engine-failed", (_request, response) => response.end("canary {")],
  "says something else": [
    "engine-failed",
    (_request, response) => response.end(JSON.stringify({ Id: "canary" })),
  ],
  refuses: [
    "engine-failed",
    (_request, response) => response.writeHead(403).end('{"message":"canary"}'),
  ],
  "sends elsewhere": [
    "engine-failed",
    (_request, response) => response.writeHead(302, { location: "http://127.0.0.1/canary" }).end(),
  ],
  "hangs up": ["engine-unreachable", ({ socket }) => socket.destroy()],
  "has a million containers": [
    "engine-failed",
    (_request, response) => response.end(`[${'{"Id":"canary"},'.repeat(100_000)}0]`),
  ],
  "never stops": [
    "engine-failed",
    (_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(" ".repeat(1024 * 1024)));
      };
      response.on("drain", more);
      more();
    },
  ],
};

test.each(Object.entries(liars))(
  "an engine that %s is refused, and none of its words is said",
  async (_name, [code, listener]) => {
    const error = await refusal(look(await answering(listener)));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(/^production: /);
    expect(error.message + String(error.cause)).not.toContain("canary");
  },
);

test("an engine that lies later is refused by the part that is none", async () => {
  const broken = { [`/containers/${listed(web).Id}/json`]: { Id: "canary" } };
  const error = await refusal(look(await answering(honest([], broken))));
  expect(error).toMatchObject({ code: "engine-failed" });
  expect(error.message).not.toContain("canary");
});

test("silence is told within five seconds, also where it comes in drops", async () => {
  const folder = await mkdtemp(join(tmpdir(), "ol-look-"));
  const path = join(folder, "docker.sock");
  const sockets = new Set<Socket>();
  const server = createSocketServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    // A byte every now and then keeps a client that only waits for quiet.
    socket.write("HTTP/1.1 200 OK\r\n\r\n");
    const drop = setInterval(() => socket.write(" "), 200);
    socket.on("close", () => clearInterval(drop));
  }).listen(path);
  await once(server, "listening");
  lifetime.defer(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await rm(folder, { recursive: true });
  });
  const quiet = await answering(() => undefined);
  const tookMs = stopwatch();
  const errors = await Promise.all([
    refusal(look(`unix://${path}`)),
    refusal(look(quiet)),
    refusal(look(`unix://${join(folder, "nothing.sock")}`)),
  ]);
  expect(tookMs()).toBeLessThan(5000);
  for (const error of errors) expect(error).toMatchObject({ code: "engine-unreachable" });
  // Who may compare is told nothing of where it is.
  for (const error of errors) expect(error.message).not.toContain(folder);
});

test.each([
  ["unix:///var/run/docker.sock", { kind: "unix", socketPath: "/var/run/docker.sock" }],
  ["tcp://10.0.0.7:2375", { kind: "tcp", host: "10.0.0.7", port: 2375 }],
  ["tcp://[::1]:2376", { kind: "tcp", host: "::1", port: 2376 }],
])("%s is a DOCKER_HOST", (dockerHost, expected) => {
  expect(parseDockerHost(dockerHost)).toEqual(expected);
});

test.each([
  ...["", "unix://relative", "tcp://host", "tcp://host:0", "tcp://host:99999", "tcp://a b:1"],
  ...["http://host:2375", "ssh://host", "npipe:////./pipe/docker", "tcp://host:1/path", "fd://"],
])("%o is none", (dockerHost) => {
  expect(() => parseDockerHost(dockerHost)).toThrow(/unix:\/\/\/path\/to\/docker.sock/);
});

test("certificates that are not there are named, and nothing of the rest", async () => {
  const to = { dockerHost: "tcp://127.0.0.1:1", certificates: "/nowhere" };
  const error = await refusal(overview(to, "production"));
  expect(error).toMatchObject({ code: "bad-input" });
  expect(error.message).toContain("ca.pem");
});

test("an engine with TLS is asked with the certificates of the folder, and by nobody else", async () => {
  const folder = await mkdtemp(join(tmpdir(), "ol-look-"));
  lifetime.defer(() => rm(folder, { recursive: true }));
  const { caFile, tls } = await testAuthority(folder, "127.0.0.1");
  await copyFile(caFile, join(folder, "ca.pem"));
  await writeFile(join(folder, "cert.pem"), tls.cert);
  await writeFile(join(folder, "key.pem"), tls.key);
  const options = { ...tls, ca: tls.cert, requestCert: true, rejectUnauthorized: false };
  let isAsked = false;
  const server = createTlsServer(options, (request, response) => {
    isAsked = true;
    honest([])(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  lifetime.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  let certificates = 0;
  server.on("secureConnection", (socket) => {
    if (socket.getPeerCertificate().subject?.CN === "Oneloop test server") certificates += 1;
  });
  const dockerHost = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const which = { name: "production", project: null };
  const { model } = await lookAt({ dockerHost, certificates: folder }, which);
  expect(model.services).toHaveLength(1);
  expect(certificates).toBeGreaterThan(0);
  // Its name is of another authority: nothing is asked.
  isAsked = false;
  const { caFile: stranger } = await testAuthority(folder, "127.0.0.1");
  await copyFile(stranger, join(folder, "ca.pem"));
  const error = await refusal(lookAt({ dockerHost, certificates: folder }, which));
  expect(error).toMatchObject({ code: "engine-unreachable" });
  expect(isAsked).toBe(false);
});
