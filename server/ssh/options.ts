import type { LiveConnections } from "../auth/live.ts";
import type { Log } from "../util/log.ts";
import type { OfferedKey } from "./authenticate.ts";
import type { Door, Resolved } from "./door.ts";

export interface SshGatewayOptions {
  readonly host: string;
  /** 0: any free one; the gateway says which. */
  readonly port: number;
  /** PEM texts, the preferred first. */
  readonly hostKeys: readonly string[];
  /** Whose key this is; `null` when nobody's. Called before the client has proved to hold it. */
  readonly authenticate: (key: OfferedKey) => Promise<{ userId: string; keyId: string } | null>;
  /** Ends connections whose key is removed. */
  readonly live: Pick<LiveConnections, "register">;
  /** The workspace of a login name; throws OneloopError, whose sentence the client is shown. */
  readonly resolve: (userId: string, login: string) => Promise<Resolved>;
  readonly supervisors: Door["supervisors"];
  readonly log: Log;
  /** The sftp server inside the workspace; the supervisor volume's own when not given. */
  readonly sftpServer?: readonly string[];
}
