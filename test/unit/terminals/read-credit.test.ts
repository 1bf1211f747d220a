import { once } from "node:events";
import { expect, it } from "vitest";
import { decodeCredit, FrameDecoder, FrameType } from "../../../server/protocol/frames.ts";
import { ReadCredit } from "../../../server/terminals/read-credit.ts";
import { socketPair } from "../../helpers/socket-pair.ts";

/** Our end, and what the other one has been told: `credit 5`, `stdin 5`. */
async function pair() {
  const [far, near] = await socketPair();
  const told: string[] = [];
  const decoder = new FrameDecoder((type, payload) => {
    told.push(
      type === FrameType.credit ? `credit ${decodeCredit(payload)}` : `stdin ${payload.length}`,
    );
  });
  far.on("data", (chunk: Buffer) => decoder.push(chunk));
  return { near, far, told };
}

it("gives credit for much at once, and for little when it has become much", async () => {
  const { near, far, told } = await pair();
  const credit = new ReadCredit(near);
  credit.took(500_000);
  for (let round = 0; round < 100; round += 1) credit.took(1000);
  credit.write(Buffer.from("input"));
  near.end();
  await once(far, "end");
  expect(told).toEqual(["credit 500000", "credit 66000", "stdin 5"]);
  far.destroy();
});

it("says nothing after the end of what goes there", async () => {
  const { near, far, told } = await pair();
  const failures: unknown[] = [];
  near.on("error", (error) => failures.push(error));
  const credit = new ReadCredit(near);
  near.end();
  credit.took(500_000);
  await once(far, "end");
  expect({ told, failures }).toEqual({ told: [], failures: [] });
  far.destroy();
});
