import { readFile } from "node:fs/promises";
import { compare } from "../../server/drift/compare.ts";
import { lockPath, readLock, type LockEntry } from "../../server/drift/lock.ts";
import { renderJson, reportOf } from "../../server/drift/report.ts";
import { renderSarif } from "../../server/drift/sarif.ts";
import { renderText } from "../../server/drift/text.ts";
import type { DriftReport } from "../../server/protocol/drift.ts";
import type { RunningEnvironment } from "../../server/protocol/environment.ts";
import { Failure } from "./failure.ts";
import { readModel } from "./models.ts";

export interface Compared {
  readonly report: DriftReport;
  readonly render: (format: "text" | "json" | "sarif") => string;
}

/**
 * Compares what two files or folders of this machine say; nothing is asked of a control plane.
 *
 * @param given.lock null: the usual one, where there is one.
 * @throws Failure where one of them, or the lock, cannot be read.
 */
export async function compareFiles(given: {
  a: string;
  b: string;
  lock: string | null;
}): Promise<Compared> {
  const { a, b } = given;
  const [one, other, lock] = await Promise.all([
    readModel(a),
    readModel(b),
    acknowledged(given.lock),
  ]);
  return renderersOf(reportOf(compare(one, other), { a, b, lock, now: new Date() }));
}

/**
 * Compares what a file or folder of this machine says with what runs in an environment. The file
 * stays here: what runs is asked for.
 *
 * @throws Failure as `compareFiles`
 */
export async function compareWithRunning(given: {
  a: string;
  running: () => Promise<RunningEnvironment>;
  lock: string | null;
}): Promise<Compared> {
  const { a, running } = given;
  // What is wrong with the file is said before anybody is asked.
  const [one, lock] = await Promise.all([readModel(a), acknowledged(given.lock)]);
  const { model, title } = await running();
  const sides = { a, b: title, lock, isSharedLock: true, now: new Date() };
  return renderersOf(reportOf(compare(one, model), sides));
}

export function renderersOf(report: DriftReport): Compared {
  const renderers = { text: renderText, json: renderJson, sarif: renderSarif };
  return { report, render: (format) => renderers[format](report) };
}

async function acknowledged(named: string | null): Promise<readonly LockEntry[]> {
  const file = named ?? lockPath;
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (named === null && (error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new Failure("usage", `The lock ${file} cannot be read.`, { cause: error });
  }
  const read = readLock(text, file);
  if (read.ok) return read.entries;
  throw new Failure("bad-input", `${file} has mistakes.`, { diagnostics: read.diagnostics });
}
