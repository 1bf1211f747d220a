export interface GitRequest {
  /** After `git`. */
  readonly args: readonly string[];
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /**
   * A folder of this machine that a file:// URL names: readable for this run only. Where an
   * argument is exactly this path, it becomes the path under which git sees the folder.
   */
  readonly localFolder?: string;
  /**
   * For the host of the remote, and no other, however the remote redirects. It travels on standard
   * input: never in an argument or an environment.
   */
  readonly credential?: RemoteCredential;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** What the asker's git needs for a private remote. */
export interface RemoteCredential {
  /** The remote; its scheme and host are what the credential is for. */
  readonly url: string;
  readonly username: string;
  /** A password, a token, or for ssh a private key in OpenSSH's form. */
  readonly password: string;
}

export interface GitResult {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs git where no repository and no server can harm the control plane: in a container. */
export interface GitRunner {
  /** Resolves for every exit code; a run that was cut off has a code other than 0. */
  run(request: GitRequest): Promise<GitResult>;
}
