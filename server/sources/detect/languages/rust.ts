import type { Detector, SetUpCommand } from "../finding.ts";
import { tomlEntry, tomlText } from "../toml.ts";
import type { Project, RepositoryFile } from "../tree.ts";
import { compare, imageVersions, parseVersion } from "../versions.ts";
import { askedVersion, managerFiles, pinned, type Asked, type Wanted } from "./asked.ts";
import { miseInstall, type MiseTool } from "./mise.ts";
import { locked, offer } from "./offering.ts";

/** rustup's own files. Of two in one folder it takes the first (The rustup book, "Overrides"). */
const toolchainFiles = ["rust-toolchain", "rust-toolchain.toml"] as const;

/**
 * mise has rustup install it, into `~/.rustup` and `~/.cargo`: what it calls its own folder is a link
 * to the programs of rustup. Those take the default where no toolchain file says otherwise.
 */
const tool: MiseTool = {
  tool: "rust",
  name: "Rust",
  debian: imageVersions.rust,
  programs: "",
  finish: `"$folder/rustup" default "\${folder##*/}"`,
};

export const rust: Detector = {
  name: "Rust",
  language: true,
  marks: ["Cargo.toml"],
  reads: [...managerFiles, ...toolchainFiles, "Cargo.lock"],
  detect(project) {
    const file = project.first(["Cargo.toml"]);
    if (file === null) return {};
    const reason = { at: file.place(), why: "a package of Rust" };
    const other = miseInstall(tool, wantedRust(project, file));
    const byRustup = other.setUp.length > 0;
    return {
      packages: byRustup ? [] : [{ name: "cargo", reason }],
      setUp: [
        ...other.setUp,
        ...(byRustup ? toolchainParts(project) : []),
        ...locked(project, "Cargo.lock", "cargo fetch --locked"),
      ],
      commands: [
        offer("run", "cargo run", reason),
        offer("test", "cargo test", reason),
        offer("build", "cargo build", reason),
      ],
      leftOut: other.leftOut,
    };
  },
};

/** mise installs a toolchain as it comes; rustup adds what the toolchain file wants with it. */
function toolchainParts(project: Project): SetUpCommand[] {
  const parts = toolchainFile(project)?.find(/^[ \t]*(?:components|targets|profile)[ \t]*=/m);
  if (parts === null || parts === undefined) return [];
  const reason = { at: parts.at, why: "it says what belongs to the toolchain" };
  return [{ id: "toolchain", line: "rustup toolchain install", once: "workspace", reason }];
}

function toolchainFile(project: Project): RepositoryFile | null {
  for (const folder of project.upward()) {
    const file = folder.first(toolchainFiles);
    if (file !== null) return file;
  }
  return null;
}

/** Cargo.toml says the oldest that will do: the newest does too, as Rust promises. */
function wantedRust(project: Project, manifest: RepositoryFile): Wanted | null {
  const have = imageVersions.rust;
  // rustup's own come first: it obeys them whatever was made its default.
  const asked = ofToolchainFile(project) ?? askedVersion(project, ["rust"], []);
  if (asked !== null) {
    const isChannel = /^(?:stable|beta|nightly)(?:-\d{4}-\d\d-\d\d)?$/.test(asked.text);
    return isChannel ? { ...asked, version: asked.text } : pinned(asked, have);
  }
  const [needed] = oldest(project, manifest).filter(({ text }) => {
    const version = parseVersion(text);
    return version !== null && compare(have, version) < 0;
  });
  return needed === undefined
    ? null
    : { text: `${needed.text} or newer`, at: needed.at, version: "stable" };
}

/** `[toolchain] channel = "1.80.0"`, or in the old form a file of one line. */
function ofToolchainFile(project: Project): Asked | null {
  const file = toolchainFile(project);
  if (file === null) return null;
  const entry = tomlEntry(file, "toolchain", "channel");
  if (entry !== null) return { text: tomlText(entry), at: entry.at };
  const line = file.find(/^\s*([\w.+-]+)\s*$/);
  return line === null ? null : { text: line.match[1] ?? "", at: line.at };
}

/** What cannot be built by an older one (The Cargo Book, "The rust-version field"; its changelog). */
function oldest(project: Project, manifest: RepositoryFile): Asked[] {
  const entries = (key: string) =>
    ["package", "workspace.package"].flatMap((table) => tomlEntry(manifest, table, key) ?? []);
  const ofEdition = entries("edition").filter((entry) => Number(tomlText(entry)) >= 2024);
  const lock = project.file("Cargo.lock")?.find(/^version = [4-9]$/m);
  return [
    ...entries("rust-version").map((entry) => ({ text: tomlText(entry), at: entry.at })),
    ...ofEdition.map(({ at }) => ({ text: "1.85", at })),
    ...(lock === null || lock === undefined ? [] : [{ text: "1.78", at: lock.at }]),
  ];
}
