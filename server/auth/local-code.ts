import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Accounts } from "./accounts.ts";

/**
 * Keeps a one-time code in a file of the data folder that only the operator's own account can read
 * (who can read it can read the secret key beside it), so that the command line on this machine
 * signs in by itself. A code that was spent is replaced.
 */
export async function keepLocalCode(
  accounts: Accounts,
  options: { dataDir: string; userId: string },
): Promise<void> {
  const path = join(options.dataDir, "sign-in-code");
  const write = async (): Promise<void> => {
    const code = await accounts.issueCode(options.userId, "local");
    await writeFile(`${path}.new`, `${code}\n`, { mode: 0o600 });
    await rename(`${path}.new`, path);
  };
  accounts.onLocalCodeSpent = write;
  await write();
}
