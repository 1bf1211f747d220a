import type { CommandGroup, LeftOut } from "../../protocol/source-model.ts";
import type { Project } from "./tree.ts";

/** A place of a file in the repository. */
export interface FilePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Why a line of the devfile is there: the place that caused it, and a sentence without its stop. */
export interface Reason {
  readonly at: FilePlace;
  readonly why: string;
}

/** A command of the devfile, before it has a name of its own there. */
export interface FoundCommand {
  /** What it is called, where nothing else has that name. */
  readonly id: string;
  /** A line for a shell, in the project's folder. */
  readonly line: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly reason: Reason;
}

export interface OfferedCommand extends FoundCommand {
  readonly group: CommandGroup["kind"];
}

/** What has to be there before anything of the project runs; done once, in a terminal. */
export interface SetUpCommand extends FoundCommand {
  /** `container`: what it changes lies outside of source and home. */
  readonly once: "workspace" | "container";
  /** Which version of what, such as `Go 1.22`: a container has one. */
  readonly version?: string;
}

/** What a detector found in one folder. Absent is nothing. */
export interface Finding {
  /** Packages of Debian that the default image lacks. */
  readonly packages?: readonly { readonly name: string; readonly reason: Reason }[];
  readonly setUp?: readonly SetUpCommand[];
  readonly commands?: readonly OfferedCommand[];
  readonly ports?: readonly { readonly port: number; readonly reason: Reason }[];
  /** Variables of the container. */
  readonly env?: readonly {
    readonly name: string;
    readonly value: string;
    readonly reason: Reason;
  }[];
  /** What the repository says too, and is not done. */
  readonly leftOut?: readonly LeftOut[];
}

/** Knows one language, or one kind of file. The page docs/no-devfile.md is held to these. */
export interface Detector {
  /** As people call it. */
  readonly name: string;
  /** A language's project in the root hides those of the same language in folders below. */
  readonly language: boolean;
  /** Each of these alone is enough. */
  readonly marks: readonly string[];
  /** Further files whose text it reads where they are. */
  readonly reads: readonly string[];
  /** Of a project that has one of the marks. */
  detect(project: Project): Finding;
}
