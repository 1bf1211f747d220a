import type { Command } from "commander";
import { Output } from "./output.ts";
import type { Session } from "./session.ts";

/** What every command gets. */
export interface Run {
  readonly output: Output;
  /** True where the result is for a program. */
  readonly json: boolean;
  /** The control plane to talk to; `url` where the user named one. */
  session(url?: string): Promise<Session>;
  /** The status to end with where it is not 0. */
  exit(status: number): void;
}

export function createRun(json: boolean): Run {
  const output = new Output(process.stdout, process.stderr);
  return {
    output,
    json,
    session: async (url) => {
      const { Session } = await import("./session.ts");
      return Session.open(output, url);
    },
    exit: (status) => {
      process.exitCode = status;
    },
  };
}

/** `--json`, the same for every command that prints data. */
export function withJson(command: Command): Command {
  return command.option("--json", "print JSON for a program");
}

/** The examples below a command's help. */
export function withExamples(command: Command, examples: readonly string[]): Command {
  const lines = examples.map((example) => `  $ ${example}`);
  return command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}

/** The argument that most commands take; completion scripts know it by its name. */
export const workspaceArgument = ["<workspace>", "its name or id"] as const;

/** Where one may also stand in a service's container; known by its name, too. */
export const placeArgument = [
  "<workspace[.service]>",
  "its name or id; with a service's name behind it, that service's container",
] as const;
