import { testImages } from "./images.ts";

/** Before files that run side by side: each would build the same images, minutes of work. */
export default async function setup(): Promise<void> {
  await using _images = await testImages(`test-first-${process.pid}`);
}
