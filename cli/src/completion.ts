import type { Command } from "commander";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** What a shell can offer for an argument, or for an option's value. */
type Offer =
  | { readonly kind: "nothing" | "files" | "workspaces" | "places" }
  | { readonly kind: "words"; readonly words: readonly string[] };

interface OptionShape {
  readonly flags: readonly string[];
  readonly summary: string;
  /** Null for an option without a value. */
  readonly value: Offer | null;
}

export interface CommandShape {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly OptionShape[];
  readonly children: readonly CommandShape[];
  /** What its first argument is; a command line is seldom completed beyond. */
  readonly argument: Offer;
}

/** The commands as completion needs them, without those that are for programs. */
export function describe(command: Command): CommandShape {
  const children = command.createHelp().visibleCommands(command);
  const [argument] = command.registeredArguments;
  return {
    name: command.name(),
    summary: command.description(),
    options: command.options
      .filter((option) => !option.hidden)
      .map((option) => ({
        flags: [option.short, option.long].flatMap((flag) => flag ?? []),
        summary: option.description,
        value: option.required ? offerFor(/<(.*)>/.exec(option.flags)?.[1] ?? "", null) : null,
      })),
    children: children.filter((child) => child.name() !== "help").map(describe),
    argument: offerFor(argument?.name() ?? "", argument?.argChoices ?? null),
  };
}

function offerFor(name: string, choices: readonly string[] | null): Offer {
  if (choices !== null) return { kind: "words", words: choices };
  if (name === "workspace") return { kind: "workspaces" };
  if (name === "workspace[.service]") return { kind: "places" };
  return { kind: name === "file" ? "files" : "nothing" };
}

/** A script for the user's shell. It calls `loop` only for the names of workspaces. */
export function completionScript(shell: Shell, program: CommandShape): string {
  switch (shell) {
    case "bash":
      return bashScript(program);
    case "zsh":
      return zshScript(program);
    case "fish":
      return fishScript(program);
  }
}

interface Place {
  /** `keys add`; empty for the program itself. */
  readonly path: string;
  readonly command: CommandShape;
}

function places(program: CommandShape, path = ""): Place[] {
  return [
    { path, command: program },
    ...program.children.flatMap((child) =>
      places(child, path === "" ? child.name : `${path} ${child.name}`),
    ),
  ];
}

/** Options that swallow the word behind them. */
function valueFlags(program: CommandShape): { flag: string; offer: Offer }[] {
  const found = new Map<string, Offer>();
  for (const { command } of places(program)) {
    for (const { flags, value } of command.options) {
      if (value !== null) for (const flag of flags) found.set(flag, value);
    }
  }
  return [...found].map(([flag, offer]) => ({ flag, offer }));
}

/** The commands that have commands of their own: the word behind them belongs to the path. */
function groups(program: CommandShape): string {
  return program.children
    .filter(({ children }) => children.length > 0)
    .map(({ name }) => name)
    .join("|");
}

/**
 * What bash and zsh share: from the words before the cursor to `place`, the command, and `before`,
 * the number of its arguments. (Not `path`: in zsh that is the array of $PATH.)
 */
function findPlace(program: CommandShape, word: (index: string) => string): string {
  const values = valueFlags(program).map(({ flag }) => flag);
  return `  local place="" before=0 skip=0 word i
  for ((i = 1; i < last; i++)); do
    word=${word("i")}
    if ((skip)); then skip=0; continue; fi
    case "$word" in
      ${values.join("|")}) skip=1 ;;
      -*) ;;
      *)
        case "$place" in
          "") place=$word ;;
          ${groups(program)}) place="$place $word" ;;
          *) before=$((before + 1)) ;;
        esac ;;
    esac
  done`;
}

/** What the shell asks: `loop …`. */
function namesCommand({ kind }: Offer): string {
  return kind === "places" ? "workspace-names --services" : "workspace-names";
}

function bashScript(program: CommandShape): string {
  const offer = (one: Offer): string => {
    switch (one.kind) {
      case "nothing":
        return ":";
      case "files":
        return 'compopt -o filenames; COMPREPLY=($(compgen -f -- "$cur"))';
      case "workspaces":
      case "places":
        return `COMPREPLY=($(compgen -W "$("\${COMP_WORDS[0]}" ${namesCommand(one)} 2>/dev/null)" -- "$cur"))`;
      case "words":
        return `COMPREPLY=($(compgen -W "${one.words.join(" ")}" -- "$cur"))`;
    }
  };
  const cases = places(program).map(({ path, command }) => {
    const flags = command.options.flatMap((option) => option.flags).join(" ");
    const first: Offer =
      command.children.length > 0
        ? { kind: "words", words: command.children.map(({ name }) => name) }
        : command.argument;
    return `    "${path}")
      if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "${flags}" -- "$cur"))
      elif ((before == 0)); then ${offer(first)}; fi ;;`;
  });
  const values = valueFlags(program).map(
    ({ flag, offer: one }) => `${flag}) ${offer(one)}; return ;;`,
  );
  return `# Completion of loop for bash: source it, or put it where bash-completion looks.
_loop() {
  local cur=\${COMP_WORDS[COMP_CWORD]} last=$COMP_CWORD IFS=$' \\t\\n'
  COMPREPLY=()
${findPlace(program, (index) => `\${COMP_WORDS[${index}]}`)}
  case "\${COMP_WORDS[COMP_CWORD - 1]}" in
    ${values.join("\n    ")}
  esac
  case "$place" in
${cases.join("\n")}
  esac
}
complete -F _loop loop`;
}

function zshScript(program: CommandShape): string {
  const described = (entries: readonly { name: string; summary: string }[]): string =>
    entries.map(({ name, summary }) => quote(`${name}:${summary}`)).join(" ");
  const offer = (one: Offer): string => {
    switch (one.kind) {
      case "nothing":
        return ":";
      case "files":
        return "_files";
      case "workspaces":
      case "places":
        return `compadd -- \${(f)"$("$words[1]" ${namesCommand(one)} 2>/dev/null)"}`;
      case "words":
        return `compadd -- ${one.words.join(" ")}`;
    }
  };
  const cases = places(program).map(({ path, command }) => {
    const flags = command.options.flatMap(({ flags, summary }) =>
      flags.map((name) => ({ name, summary })),
    );
    const first =
      command.children.length > 0
        ? `entries=(${described(command.children)}); _describe command entries`
        : offer(command.argument);
    return `    "${path}")
      if [[ $cur == -* ]]; then entries=(${described(flags)}); _describe option entries
      elif ((before == 0)); then ${first}; fi ;;`;
  });
  const values = valueFlags(program).map(
    ({ flag, offer: one }) => `${flag}) ${offer(one)}; return ;;`,
  );
  // zsh counts words from 1, and words[1] is the program: 0 in the loop that all share.
  return `#compdef loop
# Completion of loop for zsh: a file _loop in a folder of $fpath.
_loop() {
  local cur=$words[CURRENT] last=$((CURRENT - 1))
  local -a entries
${findPlace(program, (index) => `$words[${index}+1]`)}
  case "$words[CURRENT-1]" in
    ${values.join("\n    ")}
  esac
  case "$place" in
${cases.join("\n")}
  esac
}
if [[ "$funcstack[1]" == _loop ]]; then _loop "$@"; else compdef _loop loop; fi`;
}

function fishScript(program: CommandShape): string {
  const offer = (one: Offer): string => {
    switch (one.kind) {
      case "nothing":
        return "";
      case "files":
        return " -F";
      case "workspaces":
      case "places":
        return ` -a '(loop ${namesCommand(one)} 2>/dev/null)'`;
      case "words":
        return ` -a ${quote(one.words.join(" "))}`;
    }
  };
  const names = program.children.map(({ name }) => name).join(" ");
  const lines = places(program).flatMap(({ path, command }) => {
    const words = path.split(" ").filter(Boolean);
    const children = command.children.map(({ name }) => name).join(" ");
    const here = [
      ...(words.length === 0 ? [] : [`__fish_seen_subcommand_from ${words[0]}`]),
      ...(words.length < 2 ? [] : [`__fish_seen_subcommand_from ${words[1]}`]),
    ];
    const condition = (more: readonly string[]): string => {
      const all = [...here, ...more];
      return all.length === 0 ? "" : ` -n ${quote(all.join("; and "))}`;
    };
    const notYet = [`not __fish_seen_subcommand_from ${words.length === 0 ? names : children}`];
    return [
      ...command.children.map(
        (child) =>
          `complete -c loop${condition(notYet)} -a ${child.name} -d ${quote(child.summary)}`,
      ),
      ...command.options.map(({ flags, summary, value }) => {
        const named = flags.map((flag) =>
          flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`,
        );
        const taken = value === null ? "" : ` -r${offer(value)}`;
        const place = condition(words.length === 0 ? notYet : []);
        return `complete -c loop${place} ${named.join(" ")}${taken} -d ${quote(summary)}`;
      }),
      ...(command.children.length > 0 || command.argument.kind === "nothing"
        ? []
        : [`complete -c loop${condition([])}${offer(command.argument)}`]),
    ];
  });
  return `# Completion of loop for fish: put it into ~/.config/fish/completions/loop.fish.
complete -c loop -f
${lines.join("\n")}`;
}

/** For zsh and fish alike. */
function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
