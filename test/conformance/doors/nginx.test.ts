import { mkdtemp, mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { testAuthority } from "../../helpers/certificates.ts";
import { startNginx, type Nginx } from "../../helpers/nginx.ts";
import { converse, startRecorder, statuses, type Recorder } from "../../helpers/raw-http.ts";
import { ambiguities, smuggledPath, smugglingForms } from "../../helpers/smuggling.ts";
import { startRig, type Rig } from "../../unit/proxy/rig.ts";

const lifetime = new Lifetime();
let rig: Rig;
let program: Recorder;
let nginx: Nginx;
let host: string;
let cookie: string;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "oneloop-nginx-"));
  lifetime.defer(() => rm(folder, { recursive: true, force: true }));
  rig = lifetime.own(await startRig());
  program = lifetime.own(await startRecorder());
  const { tls } = await testAuthority(folder, "*.localhost");
  await mkdir(join(folder, "nginx"));
  nginx = lifetime.own(
    await startNginx({
      folder: join(folder, "nginx"),
      // One connection for everybody: what could mix, mixes.
      ...{ domain: "localhost", tls, upstream: rig.port, keptConnections: 1 },
    }),
  );
  host = rig.host(program.port);
  cookie = await rig.cookie(host);
});
afterAll(() => lifetime[Symbol.asyncDispose]());

const door = () => ({ port: nginx.port, tlsName: "app.localhost" });

describe("a connection through nginx that two readers might understand in two ways", () => {
  const of = (sender: Parameters<typeof smugglingForms>[0]) =>
    // nginx turns this form into the usual one; whose request it is, the Host header says.
    smugglingForms(sender).filter(({ name }) => !name.startsWith("absolute-form"));

  it.each(of({ host: "h", scheme: "http", cookie: "c", foreignHost: "f" }).map(({ name }) => name))(
    "%s",
    async (name) => {
      const sender = { host, scheme: "http", cookie, foreignHost: rig.host(program.port, "xx") };
      const form = of(sender).find((one) => one.name === name);
      const answer = await converse(door(), form?.bytes ?? "");
      const { requests, heads } = program.take();
      expect(requests.filter((line) => line.includes(smuggledPath))).toEqual([]);
      expect(ambiguities(heads)).toEqual([]);
      // nginx mends some of what we refuse; then it is one request, and answered as one.
      if (form?.outcome === "first") expect(statuses(answer)[0]).toBe(200);
      expect(requests.length).toBeLessThanOrEqual(1);
      expect(answer.split("POST /first").length - 1).toBeLessThanOrEqual(requests.length);
    },
  );
});

describe("one connection from nginx to Oneloop", () => {
  it("carries many people's requests, and nobody gets what is another's", async () => {
    rig.setVisibility(program.port, "signed-in");
    const bob = await rig.cookie(host, "bob");
    const from = new Set<string>();
    rig.onConnection((name) => from.add(name));
    const people = { ada: cookie, bob, nobody: "" };
    for (let round = 0; round < 10; round += 1) {
      for (const [who, theirs] of Object.entries(people)) {
        const answer = await converse(
          door(),
          `GET /${who}-${round} HTTP/1.1\r\nHost: ${host}\r\nCookie: ${theirs}\r\nConnection: close\r\n\r\n`,
        );
        expect(statuses(answer)).toEqual([who === "nobody" ? 401 : 200]);
        if (who !== "nobody") expect(answer).toContain(`GET /${who}-${round}`);
      }
    }
    rig.setVisibility(program.port, "private");
    expect(program.take().requests.length).toBe(20);
    // They did share: one connection that was there, and one more at most.
    expect(from.size).toBeLessThanOrEqual(2);
  });
});

describe("nginx in front", () => {
  it("sends plain HTTP on to the same address over TLS", async () => {
    const answer = await converse(
      { port: nginx.plainPort },
      `GET /a?b HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    );
    expect(statuses(answer)).toEqual([301]);
    expect(answer).toContain(`Location: https://${host.replace(/:\d+$/, "")}/a?b`);
  });

  it("what a stranger says of forwarding reaches no program", async () => {
    const forged =
      "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: gopher\r\nForwarded: for=6.6.6.6";
    await converse(
      door(),
      `GET / HTTP/1.1\r\nHost: ${host}\r\nCookie: ${cookie}\r\n${forged}\r\nConnection: close\r\n\r\n`,
    );
    const [head] = program.take().heads;
    const seen = head?.headers.filter((header) => /forwarded/i.test(header));
    expect(seen?.map((header) => header.toLowerCase()).sort()).toEqual([
      ...["x-forwarded-for: 127.0.0.1", `x-forwarded-host: ${host}`, "x-forwarded-proto: http"],
    ]);
  });
});
