import { expect, it } from "vitest";
import { Lifetime } from "../../../server/util/lifetime.ts";

it("ends what it owns in reverse order, once", async () => {
  const ended: string[] = [];
  const lifetime = new Lifetime();
  lifetime.own({ [Symbol.dispose]: () => void ended.push("first") });
  lifetime.own({ [Symbol.asyncDispose]: async () => void ended.push("second") });
  lifetime.defer(() => ended.push("third"));
  await Promise.all([lifetime[Symbol.asyncDispose](), lifetime[Symbol.asyncDispose]()]);
  expect(ended).toEqual(["third", "second", "first"]);
});

it("ends the rest when one fails, and says so", async () => {
  const ended: string[] = [];
  const lifetime = new Lifetime();
  lifetime.defer(() => ended.push("first"));
  lifetime.defer(() => {
    throw new Error("broken");
  });
  await expect(lifetime[Symbol.asyncDispose]()).rejects.toThrow(AggregateError);
  expect(ended).toEqual(["first"]);
});
