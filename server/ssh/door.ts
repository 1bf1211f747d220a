import type { Owner } from "../engine/steps.ts";
import type { TerminalView, WorkspaceSummary } from "../protocol/workspace.ts";
import type { Supervisors, Target } from "../terminals/supervisors.ts";
import type { Log } from "../util/log.ts";
import type { ConnectionFlow } from "./connection-flow.ts";

/** What the channels of one authenticated connection need. */
export interface Door {
  readonly flow: ConnectionFlow;
  readonly supervisors: Pick<
    Supervisors,
    "exec" | "direct" | "attach" | "forward" | "listen" | "listenTcp" | "accept"
  >;
  /** The program that serves the `sftp` subsystem, as the workspace sees it. */
  readonly sftpServer: readonly string[];
  /** `client address, port, server address, port`, as sshd sets it. */
  readonly sshConnection: string;
  readonly log: Log;
  /**
   * Asked for each channel: rights and addresses change while a connection lasts, and are remembered
   * until then. `onWait` gets a sentence where the workspace has to be started first.
   */
  readonly target: (onWait?: (sentence: string) => void) => Promise<Target>;
  /** The next `target` is asked for anew. */
  readonly forgetTarget: () => void;
  /** What a login shows of the workspace; `null`: nothing. */
  readonly describe: (target: Target) => Promise<WorkspaceSummary | null>;
  readonly terminals: (target: Target) => Promise<readonly TerminalView[]>;
  /**
   * Calls back when the connection has closed, at once where it has already; gives a function that
   * takes the wish back.
   */
  readonly whenClosed: (then: (by: ClosedBy) => void) => () => void;
}

export type ClosedBy = "client" | "gateway";

export interface Resolved {
  readonly owner: Owner;
  /** Null: the dev service. */
  readonly service: string | null;
  readonly name: string;
}
