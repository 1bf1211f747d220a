import type { Ask } from "./loop.ts";
import { Failure } from "./failure.ts";
import { fieldsOf } from "./text.ts";

/** What the protocol takes; git knows no longer ones. */
const maxLengths = { protocol: 16, host: 300, path: 2000 };

/**
 * git's credential helper (gitcredentials(7)): gives what to print for `get`. `store` and `erase`
 * change nothing: what a person has stored with Oneloop, they change there.
 *
 * @param input what git says of what it wants.
 * @throws Failure; no secret is in it.
 */
export async function credential(
  operation: string | undefined,
  input: () => string,
  ask: Ask,
): Promise<string> {
  if (operation !== "get") return "";
  const wanted = attributes(input());
  const protocol = wanted.get("protocol") ?? "";
  const host = wanted.get("host") ?? "";
  const path = wanted.get("path") ?? null;
  if (
    host === "" ||
    protocol.length > maxLengths.protocol ||
    host.length > maxLengths.host ||
    (path ?? "").length > maxLengths.path
  ) {
    return "";
  }
  const answer = await ask({ kind: "credential", protocol, host, path });
  if (answer === null) return "";
  const { username, password } = fieldsOf(answer);
  if (!isLine(username) || !isLine(password)) {
    throw new Failure("internal", "The stored credential cannot be given to git.");
  }
  return `username=${username}\npassword=${password}\n`;
}

/** Lines of `key=value`, up to an empty one (git-credential(1), "INPUT/OUTPUT FORMAT"). */
function attributes(text: string): Map<string, string> {
  const lines = text.split("\n");
  const end = lines.indexOf("");
  return new Map(
    lines.slice(0, end < 0 ? undefined : end).flatMap((line): [string, string][] => {
      const at = line.indexOf("=");
      return at <= 0 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
    }),
  );
}

/** More than one line would be more attributes to git. */
function isLine(value: unknown): value is string {
  return typeof value === "string" && !/[\n\0]/.test(value);
}
