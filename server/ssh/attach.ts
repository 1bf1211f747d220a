import { OneloopError } from "../protocol/errors.ts";
import { clean } from "../protocol/text.ts";
import type { TerminalView } from "../protocol/workspace.ts";

/** The subsystem that `loop attach` asks for: `oneloop-attach`, or with a terminal's id after it. */
const subsystem = /^oneloop-attach(?: ([\w-]{1,64}))?$/;

/** Which terminal a subsystem's name asks for; `null` for another subsystem. */
export function readAttach(name: string): { readonly id: string | null } | null {
  const match = subsystem.exec(name);
  return match === null ? null : { id: match[1] ?? null };
}

/**
 * The terminal to attach: the named one, or else the only one whose ssh connection broke.
 *
 * @throws OneloopError `not-found`, or `conflict` with the list where there are several.
 */
export function chooseTerminal(
  terminals: readonly TerminalView[],
  id: string | null,
): TerminalView {
  const detached = terminals.filter((terminal) => terminal.detached);
  const found = id === null ? detached[0] : terminals.find((terminal) => terminal.id === id);
  if (found === undefined) {
    throw new OneloopError(
      "not-found",
      id === null
        ? "No terminal of an ssh connection that broke is left running here."
        : "There is no such terminal any more.",
    );
  }
  if (id === null && detached.length > 1) {
    const list = detached.map((each) => `${each.id} (${clean(each.title)})`).join(", ");
    throw new OneloopError("conflict", `There are several: say which one. ${list}`);
  }
  return found;
}
