/**
 * What OpenSSH's client and editors send by default, and what programs use to show text; nothing
 * that makes a program load or run something.
 */
const allowed = new RegExp(
  `^(?:${[
    ...["LANG", "LC_[A-Z0-9_]+", "TERM", "COLORTERM", "NO_COLOR", "TERM_PROGRAM"],
    ...["TERM_PROGRAM_VERSION", "INSIDE_EMACS", "TZ", "GIT_[A-Z0-9_]+", "VSCODE_[A-Z0-9_]+"],
  ].join("|")})$`,
);

/** The environment travels in the head of a request, which the supervisor takes up to 256 KiB of. */
const maxBytes = 16 * 1024;

/** The variables that decide what a byte means. */
const encoding: ReadonlySet<string> = new Set(["LANG", "LC_ALL", "LC_CTYPE"]);

/** The variables that a client asks for. */
export class SessionEnvironment {
  readonly #values: Record<string, string> = {};
  #bytes = 0;

  get values(): Readonly<Record<string, string>> {
    return this.#values;
  }

  /** False where the client may not set it. */
  set(name: string, value: string): boolean {
    if (!allowed.test(name) || value.includes("\0")) return false;
    const bytes = Buffer.byteLength(name) + Buffer.byteLength(value);
    if (this.#bytes + bytes > maxBytes) return false;
    this.#bytes += bytes;
    // A client that never chose a language sends this too; what is stored inside is UTF-8.
    const plain = encoding.has(name) && (value === "C" || value === "POSIX");
    this.#values[name] = plain ? "C.UTF-8" : value;
    return true;
  }
}

/** @param sshConnection as sshd's SSH_CONNECTION. */
export function sshVariables(sshConnection: string): Record<string, string> {
  const [clientHost, clientPort, , port] = sshConnection.split(" ");
  return { SSH_CONNECTION: sshConnection, SSH_CLIENT: `${clientHost} ${clientPort} ${port}` };
}
