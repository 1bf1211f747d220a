import { readFile } from "node:fs/promises";
import type Dockerode from "dockerode";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Images } from "../../../server/engine/docker/images/index.ts";
import { ReadyLine } from "../../../server/protocol/supervisor.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { startContainer } from "../../helpers/container.ts";
import { docker } from "../../helpers/engine-objects.ts";
import { testImages } from "../../helpers/images.ts";

const installation = `t${randomIds.id()}`;
let images: Images & AsyncDisposable;

beforeAll(async () => {
  images = await testImages(installation);
});
afterAll(async () => {
  await images[Symbol.asyncDispose]();
});

const rulesV4 = `*filter
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A OUTPUT -o lo -j ACCEPT
-A OUTPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
-A OUTPUT -d 10.0.0.0/8 -j REJECT
COMMIT`;
const rulesV6 = `*filter
:OUTPUT DROP [0:0]
-A OUTPUT -o lo -j ACCEPT
COMMIT`;

function sandbox(env: Readonly<Record<string, string>>): Dockerode.ContainerCreateOptions {
  return {
    Image: images.helper,
    Cmd: ["/usr/local/bin/oneloop-sandbox"],
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    Labels: { "oneloop.installation": installation },
    HostConfig: { ReadonlyRootfs: true, CapDrop: ["ALL"], CapAdd: ["NET_ADMIN"] },
  };
}

/** Runs a command of the helper image as root of the sandbox's network, and gives what it printed. */
async function inNetworkOf(container: Dockerode.Container, command: string): Promise<string> {
  await using member = await startContainer(docker, {
    Image: images.helper,
    Cmd: ["sh", "-c", `out=$(${command}); echo "$out" | tr '\\n' ';'; echo`],
    Labels: { "oneloop.installation": installation },
    HostConfig: {
      NetworkMode: `container:${container.id}`,
      CapDrop: ["ALL"],
      CapAdd: ["NET_ADMIN"],
    },
  });
  return member.firstLine;
}

test("the rules hold in the sandbox's network when it says ready", async () => {
  const env = { ONELOOP_RULES_V4: rulesV4, ONELOOP_RULES_V6: rulesV6 };
  await using running = await startContainer(docker, sandbox(env));
  expect(ReadyLine.parse(JSON.parse(running.firstLine))).toEqual({ oneloop: "ready" });
  const v4 = await inNetworkOf(running.container, "iptables -S OUTPUT");
  expect(v4).toContain("-A OUTPUT -d 10.0.0.0/8 -j REJECT");
  const v6 = await inNetworkOf(running.container, "ip6tables -S OUTPUT");
  expect(v6).toContain("-P OUTPUT DROP;-A OUTPUT -o lo -j ACCEPT");
});

test("a rule that cannot be set ends the sandbox with status 3 and the reason, never ready", async () => {
  const env = { ONELOOP_RULES_V4: "*filter\n-A OUTPUT -j NO_SUCH_TARGET\nCOMMIT" };
  const container = await docker.createContainer(sandbox(env));
  try {
    await container.start();
    expect(await container.wait()).toMatchObject({ StatusCode: 3 });
    const stderr = await container.logs({ stdout: false, stderr: true });
    expect(stderr.toString()).toContain("NO_SUCH_TARGET");
    const stdout = await container.logs({ stdout: true, stderr: false });
    expect(stdout.toString()).not.toContain("ready");
  } finally {
    await container.remove({ force: true });
  }
});

test("the sandbox is small and ends at once on TERM", async () => {
  await using running = await startContainer(docker, sandbox({ ONELOOP_RULES_V4: rulesV4 }));
  const status = await readFile(`/proc/${running.inspect.State.Pid}/status`, "utf8");
  expect(Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1])).toBeLessThan(500);
  const ended = running.container.wait();
  await running.container.kill({ signal: "SIGTERM" });
  expect(await ended).toMatchObject({ StatusCode: 0 });
});
