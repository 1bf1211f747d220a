import { useQuery } from "@tanstack/react-query";
import { trpc } from "../lib/api.ts";
import { plainLine } from "../lib/plain-text.ts";
import { IconButton } from "./button.tsx";
import { PlayIcon } from "./icons.tsx";
import { Menu, MenuItem } from "./menu.tsx";

/** More would not fit a screen: `loop run` lists all. */
const shownCommands = 20;

interface CommandMenuProps {
  workspace: string;
  disabled: boolean;
  /** By its name: it runs in a terminal of its own. */
  onRun: (command: string) => void;
}

/** The commands that the configuration offers, those of a purpose first; nothing without any. */
export function CommandMenu({ workspace, disabled, onRun }: CommandMenuProps) {
  const { data = [] } = useQuery(trpc.workspaces.commands.queryOptions({ workspace }));
  if (data.length === 0) return null;
  const rank = ({ group }: (typeof data)[number]): number =>
    group === null ? 2 : group.isDefault ? 0 : 1;
  const commands = data.toSorted((a, b) => rank(a) - rank(b)).slice(0, shownCommands);
  return (
    <Menu
      label="Commands"
      trigger={
        <IconButton label="Run a command" size="medium" disabled={disabled}>
          <PlayIcon className="size-3.5" />
        </IconButton>
      }
    >
      {commands.map(({ name, label, group, line, where }) => (
        <MenuItem key={name} onSelect={() => onRun(name)}>
          <span className="min-w-0 flex-1" title={where.join("\n")}>
            <span className="flex items-baseline gap-2">
              <span className="truncate font-medium">{plainLine(label ?? name)}</span>
              {group !== null && (
                <span className="text-[11px] text-muted">
                  {group.kind}
                  {group.isDefault ? " (default)" : ""}
                </span>
              )}
            </span>
            <span className="block max-w-80 truncate font-mono text-xs text-muted">
              {plainLine(line)}
            </span>
          </span>
        </MenuItem>
      ))}
    </Menu>
  );
}
