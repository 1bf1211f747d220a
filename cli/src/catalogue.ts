import { Command } from "commander";

/** A command before it is loaded: what the list of all commands says of it. */
export interface Entry {
  readonly name: string;
  readonly alias?: string;
  /** The heading in the list; none: not listed, for programs only. */
  readonly group?: string;
  readonly summary: string;
  /** Adds arguments, options, examples and the action. Loaded only for the command that is called. */
  readonly define: () => Promise<(command: Command) => void>;
}

const workspaces = "Workspaces:";
const inside = "In a workspace:";
const configuration = "Configuration:";
const you = "You:";
const others = "Others:";
const machine = "This machine:";

export const catalogue: readonly Entry[] = [
  {
    name: "open",
    group: workspaces,
    summary: "a workspace of a repository: a new one, or the one that you have of it",
    define: async () => (await import("./commands/open.ts")).defineOpen,
  },
  {
    name: "plan",
    group: workspaces,
    summary: "what an open would run, and why, without starting it",
    define: async () => (await import("./commands/plan.ts")).definePlan,
  },
  {
    name: "list",
    alias: "ls",
    group: workspaces,
    summary: "your workspaces",
    define: async () => (await import("./commands/list.ts")).defineList,
  },
  {
    name: "show",
    group: workspaces,
    summary: "one workspace: its state, ports, services and what happened to it",
    define: async () => (await import("./commands/show.ts")).defineShow,
  },
  {
    name: "stop",
    group: workspaces,
    summary: "stop a workspace; its source and home are kept",
    define: async () => (await import("./commands/start-stop.ts")).defineStop,
  },
  {
    name: "start",
    group: workspaces,
    summary: "start a stopped workspace",
    define: async () => (await import("./commands/start-stop.ts")).defineStart,
  },
  {
    name: "delete",
    alias: "rm",
    group: workspaces,
    summary: "delete a workspace with its source and home",
    define: async () => (await import("./commands/delete.ts")).defineDelete,
  },
  {
    name: "refresh",
    group: workspaces,
    summary: "ask the repository how many commits a workspace is behind",
    define: async () => (await import("./commands/refresh.ts")).defineRefresh,
  },
  {
    name: "ssh",
    group: inside,
    summary:
      "a shell in a workspace or in one of its services, or one command; its exit status is the command's",
    define: async () => (await import("./commands/ssh.ts")).defineSsh,
  },
  {
    name: "attach",
    group: inside,
    summary: "the terminal of an ssh session whose connection broke; Enter ~ . leaves it",
    define: async () => (await import("./commands/attach.ts")).defineAttach,
  },
  {
    name: "run",
    group: inside,
    summary: "one of the commands that a workspace offers, such as test",
    define: async () => (await import("./commands/run.ts")).defineRun,
  },
  {
    name: "config-ssh",
    group: inside,
    summary: "let `ssh <workspace>.loop`, and every editor that speaks SSH, work",
    define: async () => (await import("./commands/config-ssh.ts")).defineConfigSsh,
  },
  {
    name: "ports",
    group: inside,
    summary: "a workspace's ports, and who may see them",
    define: async () => (await import("./commands/ports.ts")).definePorts,
  },
  {
    name: "port-forward",
    group: inside,
    summary: "bring ports of a workspace to this machine, until Ctrl+C",
    define: async () => (await import("./commands/port-forward.ts")).definePortForward,
  },
  {
    name: "services",
    group: inside,
    summary: "what runs in a workspace: state, health, restarts and why, ports, settings",
    define: async () => (await import("./commands/services.ts")).defineServices,
  },
  {
    name: "restart",
    group: inside,
    summary: "start one of production's services in a workspace again",
    define: async () => (await import("./commands/restart.ts")).defineRestart,
  },
  {
    name: "rebuild",
    group: inside,
    summary: "build the image of one of production's services again, and start it",
    define: async () => (await import("./commands/restart.ts")).defineRebuild,
  },
  {
    name: "logs",
    group: inside,
    summary: "what happened to a workspace, or what its services print; -f goes on",
    define: async () => (await import("./commands/logs.ts")).defineLogs,
  },
  {
    name: "init",
    group: configuration,
    summary: "write the devfile that is found into this folder",
    define: async () => (await import("./commands/init.ts")).defineInit,
  },
  {
    name: "drift",
    group: configuration,
    summary: "what differs between two descriptions, such as a devfile and k8s/",
    define: async () => (await import("./commands/drift.ts")).defineDrift,
  },
  {
    name: "validate",
    group: configuration,
    summary: "what is wrong in configuration files: file:line:col: code: message",
    define: async () => (await import("./commands/validate.ts")).defineValidate,
  },
  {
    name: "login",
    group: you,
    summary: "sign in to a control plane, with a one-time code",
    define: async () => (await import("./commands/login.ts")).defineLogin,
  },
  {
    name: "logout",
    group: you,
    summary: "sign out; the token is of no more use to anybody",
    define: async () => (await import("./commands/logout.ts")).defineLogout,
  },
  {
    name: "profile",
    group: you,
    summary: "your name and e-mail in commits, and your dotfiles",
    define: async () => (await import("./commands/profile.ts")).defineProfile,
  },
  {
    name: "keys",
    group: you,
    summary: "your SSH public keys: who has one of them is you, by ssh",
    define: async () => (await import("./commands/keys.ts")).defineKeys,
  },
  {
    name: "credentials",
    group: you,
    summary: "what git uses for your private repositories, by host",
    define: async () => (await import("./commands/credentials.ts")).defineCredentials,
  },
  {
    name: "variables",
    group: you,
    summary: "variables and secrets for your workspaces",
    define: async () => (await import("./commands/variables.ts")).defineVariables,
  },
  {
    name: "sessions",
    group: you,
    summary: "where you are signed in",
    define: async () => (await import("./commands/sessions.ts")).defineSessions,
  },
  {
    name: "users",
    group: others,
    summary: "the people of this installation; for its owner",
    define: async () => (await import("./commands/users.ts")).defineUsers,
  },
  {
    name: "environments",
    group: others,
    summary: "engines that are compared with: what really runs; for this installation's owner",
    define: async () => (await import("./commands/environments.ts")).defineEnvironments,
  },
  {
    name: "doctor",
    group: machine,
    summary: "what is missing on this machine, and the command that mends it",
    define: async () => (await import("./commands/doctor.ts")).defineDoctor,
  },
  {
    name: "completion",
    group: machine,
    summary: "a script that completes commands and workspaces in your shell",
    define: async () => {
      const { defineCompletion } = await import("./commands/completion.ts");
      return (command) => defineCompletion(command, () => createProgram("", () => true));
    },
  },
  {
    name: "workspace-names",
    summary: "for completion: the names of your workspaces, or nothing, within two seconds",
    define: async () => (await import("./commands/workspace-names.ts")).defineWorkspaceNames,
  },
];

/**
 * All commands by name, and those that `named` picks with all that belongs to them.
 *
 * @param named the words of a command line that could name a command.
 */
export async function createProgram(
  version: string,
  named: (entry: Entry) => boolean,
): Promise<Command> {
  const program = new Command("loop")
    .description("Write code inside a replica of production.")
    .version(version)
    .enablePositionalOptions()
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .commandsGroup(machine)
    .helpCommand("help [command]", "help for one command, with examples")
    .addHelpText(
      "after",
      `
Examples:
  $ loop open https://github.com/acme/govapp      a workspace of a repository
  $ loop ssh govapp-main-abc                      a shell in it
  $ loop doctor                                   what is missing on this machine

Exit status: 0 done, 1 the answer is no, 2 usage or failure.`,
    );
  for (const entry of catalogue) {
    const command = new Command(entry.name).description(entry.summary);
    // A group of commands lists them without their arguments, as the list of all does.
    command.configureHelp({ subcommandTerm: (child) => usageOf(child) });
    if (entry.alias !== undefined) command.alias(entry.alias);
    if (entry.group !== undefined) command.helpGroup(entry.group);
    command.helpCommand(false);
    if (named(entry)) (await entry.define())(command);
    program.addCommand(command, { hidden: entry.group === undefined });
  }
  return program;
}

/** `set [options] <host>` as `set <host>`: the options stand in the help of the command itself. */
function usageOf(command: Command): string {
  const names = command.registeredArguments.map((argument) =>
    argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
  );
  return [command.name(), ...names].join(" ");
}
