import type { Log } from "./log.ts";
import type { Settings } from "./settings.ts";

/** Oneloop's own images and the supervisor's volume, by the engine's names. */
export interface OneloopImages {
  /** Git and the tools of one-shot jobs. */
  readonly helper: string;
  /** The default image of a workspace. */
  readonly workspace: string;
  readonly supervisorVolume: string;
  readonly supervisorImage: string;
  /** Of the authorities of ONELOOP_CA_FILE that they trust, and workspaces' programs shall, too. */
  readonly trustId: string | null;
}

/** What `npm start` has made ready before the control plane begins. */
export interface ControlPlaneOptions {
  readonly settings: Settings;
  /** 8 characters of [a-z2-7]: labels every engine object of this data folder. */
  readonly installation: string;
  readonly secretKey: string;
  readonly databaseUrl: string;
  readonly images: OneloopImages;
  /** The checkout's folder: `dist/web` is below it. */
  readonly root: string;
  /** Fires when the control plane shall end; disposing does the work. */
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Is told of each phase of its work (workspaces/phases.ts), as it is reached. */
  readonly onPhase?: ((phase: string) => void) | undefined;
}

export interface RunningControlPlane extends AsyncDisposable {
  /** The web app's URL. */
  readonly url: string;
  /** Signs the first user in, once. */
  readonly signInLink: string;
}
