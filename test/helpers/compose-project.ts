import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { randomIds } from "../../server/util/ids.ts";
import { systemExecer } from "../../server/util/execer.ts";

/** Debian's, version 1.29. */
const program = "docker-compose";

export interface ComposeProject extends AsyncDisposable {
  readonly folder: string;
  /** Its name in the engine: the test's own. */
  readonly name: string;
}

export const hasDockerCompose = await systemExecer.run(program, ["version"]).then(
  ({ exitCode }) => exitCode === 0,
  () => false,
);

/** Starts what a compose file says, as somebody's production does; disposing removes all of it. */
export async function startComposeProject(
  files: Readonly<Record<string, string>>,
  options: readonly string[] = [],
): Promise<ComposeProject> {
  const name = `oltest${randomIds.id().slice(0, 8)}`;
  const folder = await mkdtemp(join(tmpdir(), "ol-compose-"));
  const compose = async (...args: string[]): Promise<void> => {
    const asked = ["--project-directory", folder, "-p", name, "-f", join(folder, "compose.yaml")];
    const { exitCode, stderr } = await systemExecer.run(program, [...asked, ...args]);
    if (exitCode !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr}`);
  };
  const remove = async (): Promise<void> => {
    await compose("down", "--volumes", "--timeout", "1");
    await rm(folder, { recursive: true });
  };
  try {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    await compose("up", "--detach", ...options);
    return { folder, name, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
