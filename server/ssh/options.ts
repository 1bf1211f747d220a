import type { ConnectedBy, LiveConnections } from "../auth/live.ts";
import type { Clock } from "../util/clock.ts";
import type { Log } from "../util/log.ts";
import type { OfferedKey } from "./authenticate.ts";
import type { Door, Resolved } from "./door.ts";
import type { Refusal } from "./refusal.ts";
import type { RekeyLimits } from "./rekeying.ts";
import type { Changes } from "./remembered-place.ts";

/** What somebody who has to wait for a workspace's start is told, and how long they wait. */
export interface Waiting {
  readonly onWait: (sentence: string) => void;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
}

export interface SshGatewayOptions {
  readonly host: string;
  /** 0: any free one; the gateway says which. */
  readonly port: number;
  /** PEM texts, the preferred first. */
  readonly hostKeys: readonly string[];
  /** Whose key this is; `null` when nobody's. Called before the client has proved to hold it. */
  readonly authenticate: (key: OfferedKey) => Promise<{ userId: string; keyId: string } | null>;
  /**
   * Spends a one-time code, as somebody typed it: whose it was, or `null`. Without this nobody is
   * asked for one.
   */
  readonly spendCode?: (typed: string) => Promise<ConnectedBy | null>;
  /** Ends connections whose key, or whose code's session, is revoked. */
  readonly live: Pick<LiveConnections, "register">;
  /**
   * The workspace of a login name, started where it does not run; throws OneloopError, whose
   * sentence the client is shown.
   */
  readonly resolve: (userId: string, login: string, waiting: Waiting) => Promise<Resolved>;
  /** Until when an answer of `resolve` holds; without this, it is asked for each channel. */
  readonly changes?: Changes;
  /** What an interactive login is told of its workspace; without it, nothing. */
  readonly describe?: Door["describe"];
  readonly terminals?: Door["terminals"];
  readonly supervisors: Door["supervisors"];
  readonly log: Log;
  /** Called for everything that is refused: the metrics count it. */
  readonly onRefusal?: (reason: Refusal) => void;
  readonly clock?: Clock;
  /** From the first byte to the sign-in; 20 s when not given. */
  readonly loginGraceMs?: number;
  /** The same for who is asked for a one-time code, from that on; 120 s when not given. */
  readonly codeGraceMs?: number;
  /** A client that says nothing is asked; 30 s, and four times, when not given. */
  readonly keepalive?: { readonly everyMs: number; readonly times: number };
  /** A line that everybody is shown before the sign-in; none when not given. */
  readonly banner?: string | undefined;
  /** When the gateway makes new keys; after 1 GiB or an hour when not given. */
  readonly rekey?: RekeyLimits;
  /** The sftp server inside the workspace; the supervisor volume's own when not given. */
  readonly sftpServer?: readonly string[];
}
