import ssh2 from "ssh2";
import { expect, it } from "vitest";
import { Accounts } from "../../../server/auth/accounts.ts";
import type { AccountStore } from "../../../server/db/accounts.ts";
import { systemClock } from "../../../server/util/clock.ts";
import { randomIds } from "../../../server/util/ids.ts";

/** Takes every key. */
const store: Pick<AccountStore, "addKey"> = {
  addKey: async (row) => ({ ...row, createdAt: new Date(0) }),
};
const accounts = new Accounts(store as AccountStore, { clock: systemClock, ids: randomIds });
const add = (publicKey: string): Promise<unknown> =>
  accounts.addKey("ada", { name: "", publicKey });

function field(bytes: Buffer | string): Buffer {
  const length = Buffer.alloc(4);
  const body = Buffer.from(bytes);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

it("an SSH key whose point is on no curve is not added", async () => {
  const type = "ecdsa-sha2-nistp256";
  const blob = Buffer.concat([field(type), field("nistp256"), field(Buffer.alloc(65, 4))]);
  await expect(add(`${type} ${blob.toString("base64")}`)).rejects.toMatchObject({
    code: "bad-input",
    message: expect.stringContaining("ssh-keygen") as string,
  });
});

it("an RSA key below 2048 bits is not added, one of 2048 is", async () => {
  const short = ssh2.utils.generateKeyPairSync("rsa", { bits: 1024 });
  await expect(add(short.public)).rejects.toMatchObject({ code: "bad-input" });
  const long = ssh2.utils.generateKeyPairSync("rsa", { bits: 2048 });
  await expect(add(long.public)).resolves.toMatchObject({ type: "ssh-rsa" });
});
