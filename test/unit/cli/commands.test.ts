import { expect, test } from "vitest";
import { checkPublicKey } from "../../../cli/src/commands/keys.ts";
import { codeIn } from "../../../cli/src/commands/login.ts";
import { sshArguments } from "../../../cli/src/commands/ssh.ts";
import { checkNode } from "../../../cli/src/doctor.ts";
import { judge, progressLine } from "../../../cli/src/follow.ts";

test("ssh gets the gateway's own host key file, and what follows -- as it is", () => {
  const target = { host: "localhost", port: 7722, user: "w.db", knownHosts: "/a b/50%/hosts" };
  expect(sshArguments(target, ["--", "ls", "-la"])).toEqual([
    ...["-p", "7722", "-l", "w.db"],
    ...["-o", 'UserKnownHostsFile="/a b/50%%/hosts"'],
    ...["-o", "HostKeyAlias=oneloop-localhost-7722"],
    ...["-o", "StrictHostKeyChecking=accept-new"],
    ...["--", "127.0.0.1", "ls", "-la"],
  ]);
  expect(sshArguments({ ...target, host: "oneloop.example.org" }, []).at(-1)).toBe(
    "oneloop.example.org",
  );
});

test("a private key is never sent", () => {
  expect(() => checkPublicKey("-----BEGIN OPENSSH PRIVATE KEY-----\n")).toThrow(/private key/);
  expect(() => checkPublicKey("hello")).toThrow(/no public key/);
  expect(() => checkPublicKey("ssh-ed25519 AAAA a\nssh-ed25519 BBBB b")).toThrow(/no public key/);
  expect(checkPublicKey("ssh-ed25519 AAAA ada@laptop\n")).toBe("ssh-ed25519 AAAA ada@laptop");
});

test("a sign-in link is as good as its code", () => {
  expect(codeIn("http://app.localhost:7700/sign-in#abc_DEF-123\n")).toBe("abc_DEF-123");
  expect(codeIn(" abc_DEF-123 ")).toBe("abc_DEF-123");
  expect(() => codeIn("")).toThrow(/no one-time code/);
});

test("a delete that goes back to stopped was refused; a stop that gets there is done", () => {
  expect(judge("stopped", "deleted")).toBe("refused");
  expect(judge("stopped", "stopped")).toBe("reached");
  expect(judge("stopped", "running")).toBe("wait");
  expect(judge("running", "running")).toBe("reached");
  expect(judge("running", "stopped")).toBe("wait");
  expect(judge("failed", "running")).toBe("failed");
});

test("progress says how long it has been, and where a warning comes from", () => {
  const event = { id: 1, at: "2026-01-05T09:00:00.000Z", code: "x", message: "Named twice." };
  expect(progressLine({ ...event, level: "info" }, 1234)).toBe("   1.2 s  Named twice.");
  const warning = { ...event, level: "warning" as const, file: "devfile.yaml", line: 3, column: 5 };
  expect(progressLine(warning, 90)).toBe("   90 ms  warning: devfile.yaml:3:5: Named twice.");
});

test("a Node that is too old is said to be", () => {
  expect(checkNode("20.19.0").ok).toBe(true);
  expect(checkNode("22.0.0").ok).toBe(true);
  expect(checkNode("20.18.3")).toMatchObject({ ok: false, mend: expect.stringContaining("20.19") });
});
