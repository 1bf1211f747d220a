import { z } from "zod";
import type { Engine } from "../engine/engine.ts";
import { TerminalInfo, supervisorPaths, type CreateTerminal } from "../protocol/supervisor.ts";
import type { TerminalView } from "../protocol/workspace.ts";
import type { Supervisors, Target } from "./supervisors.ts";

/** The terminals of running workspaces; their bytes never pass here. */
export class TerminalService {
  readonly #supervisors: Supervisors;
  readonly #engine: Pick<Engine, "observe">;

  constructor(supervisors: Supervisors, engine: Pick<Engine, "observe">) {
    this.#supervisors = supervisors;
    this.#engine = engine;
  }

  /** Those of the dev service, and of the services that a supervisor has entered. */
  async listAll(target: Target): Promise<TerminalView[]> {
    const { members } = await this.#engine.observe(target.owner);
    const entered = members.flatMap((member) => (member.entered ? [member.service] : []));
    const lists = [null, ...entered].map(async (service) => {
      try {
        return await this.list({ ...target, service });
      } catch (error) {
        // A service may end at any time; what is asked for is the workspace's.
        if (service === null) throw error;
        return [];
      }
    });
    return (await Promise.all(lists)).flat();
  }

  /** Those of one service. */
  async list(target: Target): Promise<TerminalView[]> {
    const answer = await this.#supervisors.json(target, {
      action: "terminal",
      method: "GET",
      path: supervisorPaths.terminals,
    });
    return z
      .array(TerminalInfo)
      .parse(answer)
      .map((info) => view(info, target));
  }

  /** A login shell in the checkout, or what `wanted` names; the size is in character cells. */
  async create(
    target: Target,
    wanted: Partial<CreateTerminal> & Pick<CreateTerminal, "cols" | "rows">,
  ): Promise<TerminalView> {
    const answer = await this.#supervisors.json(target, {
      action: "terminal",
      method: "POST",
      path: supervisorPaths.terminals,
      body: wanted,
    });
    return view(TerminalInfo.parse(answer), target);
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

function view(info: TerminalInfo, { service = null }: Target): TerminalView {
  const { id, title, task, running, exitCode, detached = false } = info;
  return { id, service, title, task, running, exitCode, detached };
}
