import type { LeftOut } from "../../../protocol/source-model.ts";
import type { Detector, Finding } from "../finding.ts";
import type { Project, RepositoryFile } from "../tree.ts";
import { compare, imageVersions, parseVersion } from "../versions.ts";
import { askedVersion, managerFiles, pinned, ranged, type Wanted } from "./asked.ts";
import { miseInstall, type MiseTool } from "./mise.ts";
import { locked, offer } from "./offering.ts";

const elixirTool: MiseTool = { tool: "elixir", name: "Elixir", debian: imageVersions.elixir };

const erlangTool: MiseTool = {
  tool: "erlang",
  name: "Erlang",
  debian: imageVersions.erlang,
  // The builds are made for Ubuntu. That of 22.04 needs glibc 2.35, and Debian 12 has 2.36; OpenSSL
  // and ncurses are of the same series. To compile one takes longer than people wait.
  settings: { MISE_ERLANG_COMPILE: "0", MISE_ERLANG_PRECOMPILED_OS: "ubuntu-22.04" },
};

/** What the builds of Erlang are linked with. */
const erlangLibraries = ["libncurses6", "libssl3", "libstdc++6"];

/**
 * The newest Erlang that an Elixir runs on, newest first (Elixir's documentation, "Compatibility and
 * deprecations"; those to come with the newest). Of a series mise takes the build for the newest,
 * which no older one can load.
 */
const newestErlang: readonly (readonly [since: readonly number[], erlang: string])[] = [
  [[1, 22], "latest"],
  [[1, 20], "29"],
  [[1, 19], "28"],
  [[1, 17], "27"],
  [[1, 15], "26"],
  [[1, 13, 4], "25"],
];

export const elixir: Detector = {
  name: "Elixir",
  language: true,
  marks: ["mix.exs"],
  reads: managerFiles,
  detect(project) {
    const file = project.first(["mix.exs"]);
    if (file === null) return {};
    const reason = { at: file.place(), why: "a project of Mix" };
    const phoenix = file.find(/\{:phoenix,/);
    const phoenixReason = phoenix === null ? null : { at: phoenix.at, why: "Phoenix" };
    const { packages, setUp = [], leftOut = [] } = languages(project, file);
    return {
      packages:
        packages ?? ["elixir", "erlang-dev", "erlang-xmerl"].map((name) => ({ name, reason })),
      setUp: [...setUp, ...locked(project, "mix.lock", "mix local.hex --force && mix deps.get")],
      commands: [
        phoenixReason === null
          ? offer("run", "mix run --no-halt", reason)
          : offer("run", "mix phx.server", phoenixReason),
        offer("test", "mix test", reason),
        offer("build", "mix compile", reason),
      ],
      ports: phoenixReason === null ? [] : [{ port: 4000, reason: phoenixReason }],
      leftOut,
    };
  },
};

/** Another Elixir, with an Erlang that it runs on; without packages where Debian's are meant. */
function languages(
  project: Project,
  file: RepositoryFile,
): Pick<Finding, "packages" | "setUp" | "leftOut"> {
  const wanted = wantedElixir(project, file);
  if (wanted === null || wanted.version === null) {
    const { leftOut } = miseInstall(elixirTool, wanted);
    return { leftOut: [...leftOut, ...erlangAlone(project)] };
  }
  const ofErlang = wantedErlang(project, { ...wanted, version: wanted.version });
  const [erlang, other] = [miseInstall(erlangTool, ofErlang), miseInstall(elixirTool, wanted)];
  const reason = { at: wanted.at, why: `it asks for Elixir ${wanted.text}` };
  return {
    packages: erlangLibraries.map((name) => ({ name, reason })),
    // Erlang comes first: mise tries Elixir when it has it.
    setUp: [...erlang.setUp, ...other.setUp],
  };
}

function wantedElixir(project: Project, file: RepositoryFile): Wanted | null {
  const have = imageVersions.elixir;
  const own = [[".elixir-version", /^[ \t]*([^\s#]+)/m]] as const;
  const asked = askedVersion(project, ["elixir"], own);
  if (asked !== null) return pinned(asked, have);
  const range = file.find(/\belixir:\s*"([^"]+)"/);
  const text = range?.match[1];
  if (range === null || text === undefined) return null;
  const found = ranged(
    { text: text.replaceAll(/\s+and\s+/g, ", ").replaceAll(/\s+or\s+/g, " || "), at: range.at },
    have,
  );
  return found === null ? null : { ...found, text };
}

/** The one that is named; else that which the Elixir is built for (`1.17.3-otp-27`), or runs on. */
function wantedErlang(project: Project, elixir: Wanted & { readonly version: string }): Wanted {
  const asked = askedVersion(project, ["erlang"], []);
  if (asked !== null && /^(?:\d[\w.-]*|latest)$/.test(asked.text)) {
    return { ...asked, version: asked.text };
  }
  const [, otp] = /-otp-(\d+)$/.exec(elixir.version) ?? [];
  const numbers = parseVersion(elixir.version) ?? [];
  const [, newest] = newestErlang.find(([since]) => compare(numbers, since) >= 0) ?? [];
  const version = otp ?? newest ?? "24";
  return { text: version, at: elixir.at, version };
}

function erlangAlone(project: Project): LeftOut[] {
  const asked = askedVersion(project, ["erlang"], []);
  const other = asked === null ? null : pinned(asked, imageVersions.erlang);
  if (other === null) return [];
  const debian = `Elixir ${imageVersions.elixir.join(".")} and Erlang ${imageVersions.erlang.join(".")}`;
  const why = `Debian's ${debian} are installed, as they belong together: name a version of Elixir too, or write a devfile with an image.`;
  return [{ what: `Erlang ${other.text}`, why, where: other.at }];
}
