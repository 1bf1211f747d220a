import type { LeftOut } from "../../../protocol/source-model.ts";
import type { Reason, SetUpCommand } from "../finding.ts";
import type { Wanted } from "./asked.ts";
import { npmProgram } from "./npm-program.ts";

/** A version that was tried: what its commands do and print is not promised to stay. */
const miseVersion = "2026.9.15";

/**
 * mise gives up a host that does not answer after 4 minutes; this is for what it does not see. A
 * JDK of 200 MB over a slow line, and a Ruby that is compiled, take less.
 */
const installTimeout = "20m";

/** A language as mise knows it. */
export interface MiseTool {
  readonly tool: "elixir" | "erlang" | "go" | "java" | "python" | "ruby" | "rust";
  /** As people call it. */
  readonly name: string;
  /** Debian's version. */
  readonly debian: readonly number[];
  /** Settings of mise. */
  readonly settings?: Readonly<Record<string, string>>;
  /** A link in the home folder, absolute, to where it was installed. */
  readonly link?: string;
  /** Where its programs lie in the folder that mise names: `/bin`, where it is not said. */
  readonly programs?: string;
  /** A line of shell for when it is there, with that folder as `$folder`. */
  readonly finish?: string;
}

/** How a language comes that the repository wants by `wanted`; null for Debian's package. */
export function miseInstall(
  tool: MiseTool,
  wanted: Wanted | null,
): { readonly setUp: readonly SetUpCommand[]; readonly leftOut: readonly LeftOut[] } {
  if (wanted === null) return { setUp: [], leftOut: [] };
  const { text, at, version } = wanted;
  const what = `${tool.name} ${text}`;
  if (version === null) {
    const why = `No version to install can be made out of it; Debian's ${debianOf(tool)} is there.`;
    return {
      setUp: [],
      leftOut: [{ what, why: `${why} Or name an image in a devfile.`, where: at }],
    };
  }
  const reason: Reason = { at, why: `it asks for ${what}` };
  return {
    setUp: [
      {
        id: "install-mise",
        line: npmProgram({
          folder: "mise",
          packages: [`"@jdxcode/mise-linux-$(node -p process.arch)@${miseVersion}"`],
          programs: ["mise"],
        }),
        once: "container",
        reason,
      },
      {
        id: `install-${tool.tool}`,
        line: installLine(tool, version, reason),
        env: {
          // The repository's own mise.toml may say more than versions, and is not trusted by mise
          // before its reader is asked.
          MISE_NO_CONFIG: "1",
          MISE_USE_VERSIONS_HOST_TRACK: "0",
          [`MISE_${tool.tool.toUpperCase()}_VERSION`]: version,
          ...tool.settings,
        },
        once: "container",
        version: `${tool.name} ${version}`,
        reason,
      },
    ],
    leftOut: [],
  };
}

/**
 * Not links: what begins through a link takes the link's folder for its own (venv of Python does).
 * What lies in the home volume already is not looked for again: its host may be gone.
 */
function installLine(tool: MiseTool, version: string, { at }: Reason): string {
  const spec = `${tool.tool}@${version}`;
  const failed = [
    `${tool.name} ${version}, which ${at.file}:${at.line} asks for, could not be installed:`,
    "the lines above say why. A stop and a start of the workspace try again. Without that line a",
    `new workspace has Debian's ${debianOf(tool)}; for another version, name an image in a devfile.`,
  ].join(" ");
  const wrap = `printf '#!/bin/sh\\nexec "%s" "$@"\\n' "$program" | sudo install /dev/stdin "/usr/local/bin/\${program##*/}"`;
  return [
    `mise where ${spec} > /dev/null 2>&1`,
    ` || timeout --foreground ${installTimeout} mise install --yes ${spec}`,
    ` || { echo "${failed}" >&2; exit 1; }; `,
    `folder="$(mise where ${spec})"`,
    ...(tool.link === undefined ? [] : [` && ln -sfn "$folder" ${tool.link}`]),
    ...(tool.finish === undefined ? [] : [` && ${tool.finish}`]),
    ` && for program in "$folder"${tool.programs ?? "/bin"}/*; do [ ! -x "$program" ] || ${wrap} || exit 1; done`,
  ].join("");
}

function debianOf({ name, debian }: MiseTool): string {
  return `${name} ${debian.join(".")}`;
}
