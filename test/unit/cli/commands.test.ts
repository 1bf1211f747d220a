import { expect, test } from "vitest";
import { checkPublicKey } from "../../../cli/src/commands/keys.ts";
import { codeIn } from "../../../cli/src/commands/login.ts";
import { sshArguments } from "../../../cli/src/commands/ssh.ts";
import { parsePortSetting } from "../../../cli/src/commands/ports.ts";
import { pickVariable, splitVariable } from "../../../cli/src/commands/variables.ts";
import { TypedLine } from "../../../cli/src/ask.ts";
import { judge, progressLine } from "../../../cli/src/follow.ts";
import { forwardArguments, forwardLine, parseForward } from "../../../cli/src/forward.ts";

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
  // Somebody started it again: a stop that is on its way is seen as stopping.
  expect(judge("running", "stopped")).toBe("refused");
  expect(judge("stopping", "stopped")).toBe("wait");
  expect(judge("failed", "running")).toBe("failed");
});

test("progress says how long it has been, and where a warning comes from", () => {
  const event = { id: 1, at: "2026-01-05T09:00:00.000Z", code: "x", message: "Named twice." };
  expect(progressLine({ ...event, level: "info" }, 1234)).toBe("   1.2 s  Named twice.");
  const warning = { ...event, level: "warning" as const, file: "devfile.yaml", line: 3, column: 5 };
  expect(progressLine(warning, 90)).toBe("   90 ms  warning: devfile.yaml:3:5: Named twice.");
});

test("a forward is two ports, one for both, or a host between them; it stays on this machine", () => {
  const forwards = ["3000", "8080:3000", "5433:database:5432"].map(parseForward);
  expect(forwardArguments(forwards)).toEqual([
    ...["-L", "127.0.0.1:3000:localhost:3000", "-L", "127.0.0.1:8080:localhost:3000"],
    ...["-L", "127.0.0.1:5433:database:5432"],
  ]);
  expect(forwards.map((one) => forwardLine(one, "w"))).toEqual([
    "127.0.0.1:3000 → port 3000 of w",
    "127.0.0.1:8080 → port 3000 of w",
    "127.0.0.1:5433 → database:5432 of w",
  ]);
  for (const wrong of ["", "x", "0", "70000", "1:2:3:4", "8080:", "1:-oX:2", "1:a b:2", ":80"]) {
    expect(() => parseForward(wrong), wrong).toThrow(/is no forward/);
  }
});

test("a port's setting is a port and who may see it", () => {
  expect(parsePortSetting("3000=signed-in")).toEqual({ port: 3000, visibility: "signed-in" });
  for (const wrong of ["3000", "3000=", "3000=all", "0=public", "70000=public", "x=private"]) {
    expect(() => parsePortSetting(wrong), wrong).toThrow(/such as 3000=signed-in/);
  }
});

test("a secret's value is never taken from the command line", () => {
  expect(splitVariable("A=b=c", false)).toEqual({ name: "A", value: "b=c" });
  expect(splitVariable("A", true)).toEqual({ name: "A", value: null });
  const given = (): unknown => splitVariable("A=hunter2", true);
  expect(given).toThrow(/asks for the value/);
  expect(given).not.toThrow(/hunter2/);
});

test("a variable of several patterns is removed only by its pattern", () => {
  const variable = (id: string, pattern: string) => {
    return { id, name: "A", pattern, secret: false, value: "1" };
  };
  const stored = [variable("x", "*"), variable("y", "github.com/acme/*")];
  expect(() => pickVariable(stored, { name: "A", pattern: undefined })).toThrow(/--pattern/);
  expect(pickVariable(stored, { name: "A", pattern: "*" }).id).toBe("x");
  expect(pickVariable(stored, { name: "y", pattern: undefined }).id).toBe("y");
  expect(() => pickVariable(stored, { name: "B", pattern: undefined })).toThrow(/no variable B/);
});

test("a secret that is typed unseen can be corrected, and given up", () => {
  const typed = new TypedLine();
  expect(typed.add("wrong\u0015sec")).toBe("more");
  expect(typed.add("xx\u007F\u007Fret\u001B")).toBe("more");
  expect(typed.add("\rrest")).toBe("done");
  expect(typed.text).toBe("secret");
  expect(new TypedLine().add("abc\u0003")).toBe("given-up");
});
