import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { randomIds } from "../../../server/util/ids.ts";
import type { SupervisorUnderTest } from "../../helpers/supervisor.ts";
import { anyImages, imageKinds, users, type AnyImages } from "./images.ts";
import { stopwatch } from "../../helpers/stopwatch.ts";

const installation = `t${randomIds.id().slice(0, 8)}`;
let images: AnyImages;

beforeAll(async () => {
  images = await anyImages(installation);
});
afterAll(() => images[Symbol.asyncDispose]());

/** Starts a program in the background that greets on a free port, with the volume's own node. */
async function listen(supervisor: SupervisorUnderTest, host: string) {
  const program = `
    const own = Object.values(require("node:os").networkInterfaces()).flat();
    const host = "${host}" === "own" ? own.find((each) => !each.internal).address : "${host}";
    const server = require("node:net").createServer((socket) => socket.end("hello from ${host}"));
    server.listen(0, host, () => console.log(server.address().port));`;
  const { stdout, stderr } = await supervisor.sh(
    `cd /tmp; rm -f said; mkfifo said
     /.oneloop/bin/node -e '${program}' > said 2>&1 & read port < said; echo $! $port`,
  );
  expect({ stderr, stdout }).toEqual({ stderr: "", stdout: expect.stringMatching(/^\d+ \d+\n$/) });
  const [pid, port = 0] = stdout.split(" ").map(Number);
  return { port, end: () => supervisor.sh(`kill ${pid}`) };
}

describe.each(imageKinds)("in the %s image", (kind) => {
  test.each(users)("uid $uid: a port is noticed within a second, and reached", async (user) => {
    await using supervisor = await images.start(kind, { user });
    using control = await supervisor.control();
    await control.until(() => control.ports);
    for (const host of ["127.0.0.1", "::1", "0.0.0.0", "own"]) {
      const { port, end } = await listen(supervisor, host);
      const tookMs = stopwatch();
      expect(await control.untilPort(port)).toEqual({ port, process: "node" });
      expect(tookMs()).toBeLessThan(1000);
      expect(await supervisor.dial(port)).toBe(`hello from ${host}`);
      await end();
      await control.untilNoPort(port);
    }
    expect(control.ports).toEqual([]);
  });

  test.each(users)("uid $uid: the setup's variables and git's name are there", async (user) => {
    await using supervisor = await images.start(kind, { user });
    await supervisor.setup({
      env: { SECRET: "a b\nc" },
      git: { name: 'Ada "Count" Lovelace', email: "ada@example.org" },
    });
    const { stdout, stderr } = await supervisor.sh(
      'echo "$SECRET"; git config user.name; git config user.email; ls -l "$GIT_CONFIG_SYSTEM"',
    );
    expect(stderr).toBe("");
    expect(stdout).toMatch(
      /^a b\nc\nAda "Count" Lovelace\nada@example.org\n-rw-r--r-- .* \/.oneloop\/run\/gitconfig\n$/,
    );
  });

  test.each(users)("uid $uid: loop and git ask the control plane", async (user) => {
    // What the image has set for node and the loader is not for Oneloop's programs.
    const env = { NODE_OPTIONS: "--require=/nowhere.js", LD_PRELOAD: "/lib/marker.so" };
    await using supervisor = await images.start(kind, {
      user,
      env: kind === "musl" ? env : { NODE_OPTIONS: env.NODE_OPTIONS },
    });
    await supervisor.setup();
    const away = await supervisor.sh("loop ports");
    expect(away).toMatchObject({ code: 2, stdout: "" });
    expect(away.stderr).toMatch(/^loop: .* not connected just now\. Try again in a moment\.\n$/);

    using control = await supervisor.control();
    const secret = { username: "ada", password: "the secret" };
    control.onAsk = (ask) => {
      switch (ask.kind) {
        case "credential":
          return ask.host === "git.example.org" ? secret : null;
        case "show":
          return { name: "govapp-main-abc", state: "running", ports: [] };
        case "url":
          return { url: `http://${ask.port}-${ask.service ?? "none"}` };
        case "stop":
          return {};
      }
    };
    expect(await supervisor.sh("loop url 3000 db")).toEqual({
      code: 0,
      stdout: "http://3000-db\n",
      stderr: "",
    });
    expect((await supervisor.sh("loop show --json")).stdout).toContain('"govapp-main-abc"');
    expect(await supervisor.sh("loop ports")).toMatchObject({
      code: 0,
      stdout: "Nothing listens on a port yet.\n",
    });
    const fill = (host: string) =>
      supervisor.sh(
        `printf 'protocol=https\\nhost=${host}\\n\\n' | GIT_TERMINAL_PROMPT=0 git credential fill`,
      );
    const given = await fill("git.example.org");
    expect(given.stdout).toContain("username=ada\npassword=the secret\n");
    expect(given.stderr).toBe("");
    expect((await fill("other.example.org")).stderr).toContain("could not read Username");
    expect(await supervisor.sh("loop stop")).toMatchObject({ code: 0 });
  });
});
