import { once } from "node:events";
import { readFile } from "node:fs/promises";
import ssh2, { type AnyAuthMethod, type ParsedKey } from "ssh2";
import { describe, expect, it } from "vitest";
import type { SshGatewayOptions } from "../../../server/ssh/options.ts";
import { byCode, typist, type Typist } from "../../helpers/askpass.ts";
import { finish, gate, startOpenSsh, type Finished, type OpenSsh } from "./openssh.ts";
import { stopwatch } from "../../helpers/stopwatch.ts";

const good = "bcdf-ghjk-mnpq-rstv";

/** A gateway that takes Ada's one code, once: of her session `adas-session`. */
function startWithCode(settings: Partial<SshGatewayOptions> = {}): Promise<OpenSsh> {
  const codes = new Set([good]);
  return startOpenSsh("ed25519", () => ({}), {
    spendCode: async (typed) =>
      codes.delete(typed) ? { userId: "ada", credentialId: "adas-session" } : null,
    ...settings,
  });
}

/** ssh of somebody who has no key and types a code. */
function sshByCode(open: OpenSsh, who: Typist, command: string): Promise<Finished> {
  return finish(startByCode(open, who, command));
}

function startByCode(open: OpenSsh, who: Typist, command: string) {
  const loud = ["-o", "LogLevel=INFO", "-o", "NumberOfPasswordPrompts=1"];
  const args = [...loud, ...byCode, ...open.options(), "ws@127.0.0.1", command];
  return open.start(args, "ssh", who.env);
}

/** How long after a revocation somebody who is in by the code is out; `also` is waited for before. */
async function untilEnded(open: OpenSsh, id: string, also?: Promise<unknown>): Promise<number> {
  const child = startByCode(open, await typist(open.folder, good), "echo ready; exec cat");
  const ended = once(child, "close");
  await Promise.all([once(child.stdout, "data"), also]);
  const tookMs = stopwatch();
  open.revoke(id);
  expect((await ended)[0]).toBe(255);
  return tookMs();
}

describe("a one-time code", () => {
  it("signs in who has no key, once", async () => {
    const refused: string[] = [];
    await using open = await startWithCode({ onRefusal: (why) => refused.push(why) });
    const ada = await typist(open.folder, good);
    expect((await sshByCode(open, ada, "exit 3")).code).toBe(3);
    expect(refused).toEqual([]);
    expect(ada.asked()).toEqual(["(ws@127.0.0.1) One-time code: "]);
    const { code, stderr } = await sshByCode(open, ada, "exit 3");
    expect(code).toBe(255);
    expect(stderr).toContain("oneloop: This code is wrong, was used, or is older than 5 minutes.");
    expect(stderr).toContain("Permission denied (publickey,keyboard-interactive).");
    expect(refused).toEqual(["wrong-code"]);
  });

  it("is not asked for where it is not turned on", async () => {
    const refused: string[] = [];
    await using open = await startOpenSsh("ed25519", () => ({}), {
      onRefusal: (why) => refused.push(why),
    });
    const ada = await typist(open.folder, good);
    const { code, stderr } = await sshByCode(open, ada, "true");
    expect(code).toBe(255);
    expect(stderr).toContain("Permission denied (publickey).");
    expect(ada.asked()).toEqual([]);
    // A client that does not ask which methods there are is refused all the same.
    const client = new ssh2.Client();
    const prompts: unknown[] = [];
    connect(client, open, {
      type: "keyboard-interactive",
      username: "ws",
      prompt: (...asked) => prompts.push(asked),
    });
    await closed(client);
    expect({ prompts, refused }).toEqual({ prompts: [], refused: ["password"] });
  });

  it("is no password: that stays refused", async () => {
    const refused: string[] = [];
    await using open = await startWithCode({ onRefusal: (why) => refused.push(why) });
    const client = new ssh2.Client();
    connect(client, open, { type: "password", username: "ws", password: good });
    await closed(client);
    expect(refused).toEqual(["password"]);
    expect((await sshByCode(open, await typist(open.folder, good), "exit 3")).code).toBe(3);
  });

  it.each([[[]], [[good, good]], [["x".repeat(30_000)]]])(
    "is one answer, no other number of them (case %#)",
    async (answers) => {
      const refused: string[] = [];
      await using open = await startWithCode({ onRefusal: (why) => refused.push(why) });
      const client = new ssh2.Client();
      connect(client, open, {
        type: "keyboard-interactive",
        username: "ws",
        prompt: (_name, _instructions, _language, _prompts, answer) => answer(answers),
      });
      await closed(client);
      expect(refused).toEqual(["wrong-code"]);
    },
  );

  it("lets in until its session is revoked, and nothing else ends", async () => {
    await using open = await startWithCode();
    const byKey = open.start(["ws@127.0.0.1", "echo ready; exec cat"]);
    const ms = await untilEnded(open, "adas-session", once(byKey.stdout, "data"));
    expect(ms).toBeLessThan(1000);
    const echoed = once(byKey.stdout, "data");
    byKey.stdin.write("still here\n");
    expect(String((await echoed)[0])).toBe("still here\n");
  });

  it("lets in until its person is removed", async () => {
    await using open = await startWithCode();
    expect(await untilEnded(open, "ada")).toBeLessThan(1000);
  });

  it("that is wrong counts as a wrong key does, and ends no live connection", async () => {
    const refused: string[] = [];
    await using open = await startWithCode({ onRefusal: (why) => refused.push(why) });
    const live = startByCode(open, await typist(open.folder, good), "echo ready; exec cat");
    await once(live.stdout, "data");
    while (!refused.includes("wrong-keys-near")) {
      const client = new ssh2.Client();
      connect(client, open, {
        type: "keyboard-interactive",
        username: "ws",
        prompt: (_name, _instructions, _language, _prompts, answer) => answer(["bcdf"]),
      });
      await closed(client);
    }
    expect(refused.filter((why) => why === "wrong-code")).toHaveLength(30);
    const echoed = once(live.stdout, "data");
    live.stdin.write("still here\n");
    expect(String((await echoed)[0])).toBe("still here\n");
  });

  it("may be typed six times in one connection", async () => {
    const refused: string[] = [];
    await using open = await startWithCode({ onRefusal: (why) => refused.push(why) });
    const client = new ssh2.Client();
    let prompts = 0;
    const again: AnyAuthMethod = {
      type: "keyboard-interactive",
      username: "ws",
      prompt: (_name, _instructions, _language, _prompts, answer) => {
        prompts += 1;
        answer(["wrong"]);
      },
    };
    const authHandler = (_left: unknown, _partial: unknown, next: (way: AnyAuthMethod) => void) =>
      next(again);
    client.connect({ ...address(open), authHandler });
    await closed(client);
    expect(prompts).toBe(6);
    expect(refused).toEqual([
      ...Array.from({ length: 6 }, () => "wrong-code"),
      "too-many-attempts",
    ]);
  });

  it("is waited for longer than a key, and not for ever", async () => {
    const refused: string[] = [];
    await using open = await startWithCode({
      onRefusal: (why) => refused.push(why),
      loginGraceMs: 60_000,
      codeGraceMs: 200,
    });
    const client = new ssh2.Client();
    const prompt = (): void => undefined;
    connect(client, open, { type: "keyboard-interactive", username: "ws", prompt });
    await closed(client);
    expect(refused).toEqual(["login-too-slow"]);
  });
});

/** What ssh2's client has inside, as far as one of odd habits needs it. */
interface Insides {
  readonly _protocol: {
    authKeyboard(username: string): void;
    authPK(
      username: string,
      key: ParsedKey,
      sign: (data: Buffer, done: (signature: Buffer) => void) => void,
    ): void;
  };
}

describe("a code whose request is abandoned for another", () => {
  it("signs nobody in, also where it was good: the other request says who it is", async () => {
    const asked = gate();
    const answered = gate();
    const counted = gate();
    const seen: string[] = [];
    await using open = await startWithCode({
      spendCode: async () => {
        asked.open();
        await answered.opened;
        return { userId: "bob", credentialId: "bobs-session" };
      },
      resolve: async (userId) => {
        seen.push(userId);
        throw new Error("nobody gets as far as this");
      },
      onRefusal: (why) => {
        seen.push(why);
        counted.open();
      },
    });
    const key = ssh2.utils.parseKey(await readFile(`${open.folder}/key`)) as ParsedKey;
    const sign = (data: Buffer, done: (signature: Buffer) => void): void => done(key.sign(data));
    const client = new ssh2.Client();
    const ready = once(client, "ready");
    connect(client, open, {
      type: "keyboard-interactive",
      username: "ws",
      prompt: (_name, _instructions, _language, _prompts, answer) => {
        answer([good]);
        void asked.opened.then(() => inside(client).authPK("ws", key, sign));
      },
    });
    await ready;
    answered.open();
    await counted.opened;
    await new Promise((resolve) => client.exec("true", resolve));
    expect(seen).toEqual(["abandoned-code", "ada"]);
    client.end();
  });

  it("counts: nobody guesses without an end", async () => {
    const refused: string[] = [];
    let spent = 0;
    await using open = await startWithCode({
      spendCode: () => {
        spent += 1;
        return new Promise(() => undefined);
      },
      onRefusal: (why) => refused.push(why),
    });
    const client = new ssh2.Client();
    connect(client, open, {
      type: "keyboard-interactive",
      username: "ws",
      prompt: (_name, _instructions, _language, _prompts, answer) => {
        // All at once, without a look at what is said to the ones before.
        for (let guesses = 0; guesses < 1000; guesses += 1) {
          answer(["a guess"]);
          inside(client).authKeyboard("ws");
        }
      },
    });
    await closed(client);
    const abandoned = Array.from({ length: 6 }, () => "abandoned-code");
    expect({ spent, refused }).toEqual({ spent: 6, refused: [...abandoned, "too-many-attempts"] });
  });
});

function inside(client: ssh2.Client): Insides["_protocol"] {
  return (client as unknown as Insides)._protocol;
}

function address(open: OpenSsh): { host: string; port: number; username: string } {
  return { host: "127.0.0.1", port: open.gateway.port, username: "ws" };
}

/** Tries this way alone, without asking first which ones there are. */
function connect(client: ssh2.Client, open: OpenSsh, way: AnyAuthMethod): void {
  client.on("error", () => undefined);
  client.connect({ ...address(open), authHandler: [way] });
}

/** Whatever it was that it met. */
function closed(client: ssh2.Client): Promise<void> {
  return new Promise((resolve) => {
    client.on("error", () => undefined).on("close", () => resolve());
  });
}
