import { renameSync, rmSync, writeFileSync } from "node:fs";
import type { WorkspaceSetup } from "../../server/protocol/supervisor.ts";
import { supervisorMount } from "../../server/protocol/supervisor.ts";

const imageConfig = "/etc/gitconfig";
const credentialHelper = `${supervisorMount}/bin/git-credential-oneloop`;

/**
 * What stands in for git's system configuration: the image's own, who the person is, and whom git
 * asks for credentials. It is the lowest of git's files, so the person's own `~/.gitconfig` wins.
 */
export function gitConfig(git: WorkspaceSetup["git"]): string {
  const lines = [
    "# Oneloop writes this file at each start; ~/.gitconfig wins over it.",
    "[include]",
    // A file that is missing is passed over (git-config(1), "Includes").
    `\tpath = ${quoted(imageConfig)}`,
  ];
  if (git !== null) {
    lines.push("[user]", `\tname = ${quoted(git.name)}`, `\temail = ${quoted(git.email)}`);
  }
  lines.push("[credential]", `\thelper = ${quoted(credentialHelper)}`);
  return `${lines.join("\n")}\n`;
}

/**
 * Whole at every moment, and for all to read: git of a program that gave up root and kept the
 * environment dies of a configuration that it may not read. No secret stands in it.
 */
export function writeGitConfig(file: string, git: WorkspaceSetup["git"]): void {
  const fresh = `${file}.new`;
  rmSync(fresh, { force: true });
  writeFileSync(fresh, gitConfig(git), { mode: 0o644, flag: "wx" });
  renameSync(fresh, file);
}

/** git-config(1), "Syntax": in quotes only these have to be escaped. */
function quoted(value: string): string {
  const escaped = value
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll("\n", "\\n")
    .replaceAll("\t", "\\t")
    .replaceAll("\b", "\\b");
  return `"${escaped}"`;
}
