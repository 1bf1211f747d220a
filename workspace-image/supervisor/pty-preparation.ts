import { accessSync, constants } from "node:fs";
import { supervisorMount } from "../../server/protocol/supervisor.ts";
import type { Program } from "./environment.ts";
import { sttyArguments } from "./pty-modes.ts";

/** How a pty shall be before its program starts. */
export interface PtyWishes {
  /** As `ExecRequest` has them. */
  readonly modes: Readonly<Record<string, number>>;
  /** The variable that gets the terminal's name. */
  readonly nameIn: string | null;
}

/** What a prepared program's terminal says first: ACK, once it is as it shall be. */
export const preparedByte = 0x06;

/**
 * $0 is where the tools are, $1 stty's arguments, $2 the variable; what follows is for env. Where
 * stty fails the terminal is as every new one, which is better than none.
 */
const script = String.raw`
set -f
[ -z "$1" ] || "$0"stty $1 2> /dev/null
name=$("$0"tty)
printf '\006'
[ -z "$2" ] || export "$2=$name"
unset name
shift 2
exec "$0"env "$@"
`;

/** What BusyBox's shell sets by itself: the program gets them as they were. */
const changedByShell = ["SHLVL", "OPTIND", "IFS", "PATH", "PWD", "OLDPWD", "name"];

/**
 * A program that makes the terminal on which it starts as wished, says so with `preparedByte`, and
 * becomes `program`. It costs about 2 ms. node-pty sets no modes, and gives a terminal's name only
 * when the program on it is running: from outside, the settings would race with its own.
 */
export function prepared(program: Program, { modes, nameIn }: PtyWishes): Program {
  const tools = toolsFolder();
  const { env } = program;
  const names = [...changedByShell, ...Object.keys(env).filter((name) => !isShellName(name))];
  const restored = names.filter((name) => env[name] !== undefined);
  return {
    ...program,
    file: tools === "" ? "/bin/sh" : `${tools}sh`,
    args: [
      ...["-c", script, tools, sttyArguments(modes).join(" "), nameIn ?? ""],
      ...names.filter((name) => env[name] === undefined).flatMap((name) => ["-u", name]),
      // Everybody can read arguments, if only for a moment: no more of the environment than must be.
      ...restored.map((name) => `${name}=${env[name]}`),
      program.file,
      ...program.args,
    ],
  };
}

/** The static ones of the volume. Only tests run elsewhere, with the machine's own. */
function toolsFolder(): string {
  const folder = `${supervisorMount}/bin/`;
  try {
    accessSync(`${folder}stty`, constants.X_OK);
    return folder;
  } catch {
    return "";
  }
}

function isShellName(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
}
