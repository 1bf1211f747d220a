// A stamp says which inputs an output was made from, so that a second start makes nothing again.
// Plain JavaScript, because it runs before the dependencies exist.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * A digest of paths, sizes and modification times below the given files and folders: not of their
 * contents, which would cost a second start its few milliseconds.
 *
 * @param {string} root
 * @param {{inputs: readonly string[], extra?: string}} options `extra` is mixed in as it is.
 */
export function stampOf(root, { inputs, extra = "" }) {
  const hash = createHash("sha256").update(extra);
  const visit = (path) => {
    const stat = statSync(join(root, path), { throwIfNoEntry: false });
    if (stat === undefined) hash.update(`${path}\0absent\n`);
    else if (stat.isDirectory()) {
      for (const name of readdirSync(join(root, path)).sort()) {
        if (name !== "node_modules" && name !== "dist") visit(join(path, name));
      }
    } else hash.update(`${path}\0${stat.size}\0${stat.mtimeMs}\n`);
  };
  for (const input of inputs) visit(input);
  return hash.digest("hex");
}

/** Whether `output` exists and `file` says that it was made from `stamp`. */
export function isFresh({ file, stamp, output }) {
  return existsSync(output) && existsSync(file) && readFileSync(file, "utf8") === stamp;
}

/** Written only after the output is whole: a start killed in between makes it again. */
export function writeStamp(file, stamp) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, stamp);
}

export function fileDigest(path) {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/**
 * Whether npm's own record of what is installed has what the lock file asks for. It keeps a
 * developer's `npm ci` from being repeated, and stands in for a stamp that is not there yet.
 */
export function installedMatchesLock(root) {
  const record = join(root, "node_modules/.package-lock.json");
  if (!existsSync(record)) return false;
  let installed;
  try {
    installed = JSON.parse(readFileSync(record, "utf8")).packages;
  } catch {
    return false;
  }
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const same = (a, b) => a?.version === b?.version && a?.integrity === b?.integrity;
  return (
    Object.keys(installed).every((path) => same(installed[path], wanted[path])) &&
    // What is missing must be optional: packages for other platforms.
    Object.keys(wanted).every((path) => path === "" || path in installed || wanted[path].optional)
  );
}
