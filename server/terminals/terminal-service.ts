import { z } from "zod";
import { TerminalInfo, supervisorPaths } from "../protocol/supervisor.ts";
import type { TerminalView } from "../protocol/workspace.ts";
import type { Supervisors, Target } from "./supervisors.ts";

/** The terminals of running workspaces; their bytes never pass here. */
export class TerminalService {
  readonly #supervisors: Supervisors;

  constructor(supervisors: Supervisors) {
    this.#supervisors = supervisors;
  }

  async list(target: Target): Promise<TerminalView[]> {
    const answer = await this.#supervisors.json(target, {
      action: "terminal",
      method: "GET",
      path: supervisorPaths.terminals,
    });
    return z.array(TerminalInfo).parse(answer).map(view);
  }

  /** A login shell in the checkout, of `size` in character cells. */
  async create(target: Target, size: { cols: number; rows: number }): Promise<TerminalView> {
    const answer = await this.#supervisors.json(target, {
      action: "terminal",
      method: "POST",
      path: supervisorPaths.terminals,
      body: size,
    });
    return view(TerminalInfo.parse(answer));
  }

  /** Ends the terminal's program: HUP, then TERM, then KILL. */
  async close(target: Target, id: string): Promise<void> {
    await this.#supervisors.json(target, {
      action: "terminal",
      method: "DELETE",
      path: supervisorPaths.terminal(id),
    });
  }
}

function view(info: TerminalInfo): TerminalView {
  const { id, title, task, running, exitCode } = info;
  return { id, title, task, running, exitCode };
}
