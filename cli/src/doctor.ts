import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { get } from "node:http";
import { isLoopback } from "./config-file.ts";
import { createApi } from "./api.ts";
import type { Session } from "./session.ts";
import { toFailure } from "./failure.ts";

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** What was found. */
  readonly detail: string;
  /** The command that mends it; null where nothing is to mend. */
  readonly mend: string | null;
}

/** Longer than a busy engine or program takes to answer. */
const patienceMs = 10_000;

/** Looks at what `loop` and, on its own machine, the control plane need. */
export async function runChecks(session: Session): Promise<Check[]> {
  const here = isLoopback(session.url);
  const checks = await Promise.all([
    program("ssh", ["-V"], "apt-get install -y openssh-client"),
    ...(here ? [program("git", ["--version"], "apt-get install -y git"), docker()] : []),
    controlPlane(session),
  ]);
  return [checkNode(process.versions.node), ...(here ? [built()] : []), ...checks];
}

/** package.json's `engines`. */
const leastNode = [20, 19] as const;

export function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const ok = major > leastNode[0] || (major === leastNode[0] && minor >= leastNode[1]);
  const mend = `Install Node ${leastNode.join(".")} or newer: https://nodejs.org`;
  return { name: "Node", ok, detail: version, mend: ok ? null : mend };
}

function program(name: string, args: readonly string[], mend: string): Promise<Check> {
  return new Promise((resolve) => {
    const child = spawn(name, args, {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: patienceMs,
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (said += text));
    }
    child.once("error", () => resolve({ name, ok: false, detail: "not found", mend }));
    child.once("close", (code) => {
      const ok = code === 0;
      const detail = said.split("\n", 1)[0] ?? "";
      resolve({ name, ok, detail: ok ? detail : `exit status ${code}`, mend: ok ? null : mend });
    });
  });
}

function built(): Check {
  const parts = ["server/main.js", "supervisor", "web/index.html"];
  // As deep below the package's folder when it is bundled as here.
  const missing = parts.filter(
    (part) => !existsSync(new URL(`../../dist/${part}`, import.meta.url)),
  );
  const ok = missing.length === 0;
  return {
    name: "Build",
    ok,
    detail: ok ? "complete" : `without ${missing.map((part) => `dist/${part}`).join(", ")}`,
    mend: ok ? null : "npm start",
  };
}

async function docker(): Promise<Check> {
  const { readSettings } = await import("../../server/util/settings.ts");
  const { DOCKER_HOST: host } = readSettings(process.env);
  const socketPath = host.replace(/^unix:\/\//, "");
  const mend = "npm start";
  return new Promise((resolve) => {
    const request = get({ socketPath, path: "/version", timeout: patienceMs }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.once("end", () => resolve({ name: "Docker", ...readVersion(text) }));
    });
    request.once("timeout", () => request.destroy(new Error("no answer")));
    request.once("error", (error: NodeJS.ErrnoException) => {
      const forbidden = error.code === "EACCES";
      resolve({
        name: "Docker",
        ok: false,
        detail: forbidden ? `you may not use ${socketPath}` : `nothing answers at ${socketPath}`,
        mend: forbidden ? 'sudo usermod -aG docker "$USER", and sign in again' : mend,
      });
    });
  });
}

function readVersion(text: string): Pick<Check, "ok" | "detail" | "mend"> {
  try {
    const { Version } = JSON.parse(text) as { Version?: unknown };
    if (typeof Version === "string") return { ok: true, detail: `engine ${Version}`, mend: null };
  } catch {
    // Said below.
  }
  return { ok: false, detail: "what answers is no Docker engine", mend: "npm start" };
}

async function controlPlane({ url }: Session): Promise<Check> {
  const name = "Control plane";
  try {
    const { version } = await (await createApi(url, null)).config.query();
    return { name, ok: true, detail: `${version} at ${url}`, mend: null };
  } catch (error) {
    const { message } = toFailure(error, url);
    return {
      name,
      ok: false,
      detail: message,
      mend: isLoopback(url) ? "npm start" : "loop login URL",
    };
  }
}
