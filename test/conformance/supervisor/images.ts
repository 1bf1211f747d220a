import { contextTar } from "../../../server/engine/docker/images/context.ts";
import type { Images } from "../../../server/engine/docker/images/index.ts";
import { followOutput } from "../../../server/engine/docker/images/operation.ts";
import { docker } from "../../helpers/engine-objects.ts";
import { testImages } from "../../helpers/images.ts";
import { SupervisorUnderTest, type SupervisorTestOptions } from "../../helpers/supervisor.ts";

/** One image with only musl, a program for it and a library to preload; one with nothing at all. */
const dockerfile = `
FROM oneloop/base:bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends musl-tools busybox-static
COPY hello.c marker.c /src/
RUN mkdir -p /out/bin /out/lib /out/tmp && chmod 1777 /out/tmp && cp -L /lib/ld-musl-*.so.1 /out/lib/ \\
 && cp /bin/busybox /out/bin/busybox && ln -s busybox /out/bin/sh \\
 && musl-gcc -o /out/bin/hello /src/hello.c \\
 && musl-gcc -shared -fPIC -o /out/lib/marker.so /src/marker.c
FROM scratch AS musl
COPY --from=build /out /
FROM scratch AS empty
LABEL oneloop.test=empty
`;
const hello = `#include <stdio.h>
#include <unistd.h>
int main(void) { printf("musl, %s\\n", getppid() == -7 ? "preloaded" : "alone"); return 0; }`;
const marker = `int getppid(void) { return -7; }`;

export const imageKinds = ["default", "musl", "empty"] as const;
export type ImageKind = (typeof imageKinds)[number];

export const users = [
  { uid: 0, gid: 0 },
  // No image has an entry for it.
  { uid: 12_345, gid: 12_345 },
];

/** The image's own PATH, as the engine hands it on. */
const path = "/usr/local/bin:/usr/bin:/bin";

export interface AnyImages extends Images, AsyncDisposable {
  /** What the engine calls them. */
  readonly names: Readonly<Record<ImageKind, string>>;
  /** A supervisor in a container of such an image; without more, as the user without an entry. */
  start(
    kind: ImageKind,
    more?: Partial<Pick<SupervisorTestOptions, "user" | "env" | "memoryBytes">>,
  ): Promise<SupervisorUnderTest>;
}

/** Oneloop's own images and those of these tests, for one installation. */
export async function anyImages(installation: string): Promise<AnyImages> {
  const images = await testImages(installation);
  const own = {
    musl: `oneloop-test/musl:${installation}`,
    empty: `oneloop-test/empty:${installation}`,
  };
  for (const [target, name] of Object.entries(own)) {
    const context = contextTar([
      { name: "Dockerfile", source: { content: dockerfile } },
      { name: "hello.c", source: { content: hello } },
      { name: "marker.c", source: { content: marker } },
    ]);
    const output = await docker.buildImage(context, { t: name, target, version: "2" });
    await followOutput(docker, output, () => undefined);
  }
  const names = { default: images.workspace, ...own };
  return {
    ...images,
    names,
    start: (kind, more = {}) =>
      SupervisorUnderTest.start({
        docker,
        image: names[kind],
        volume: images.supervisorVolume,
        installation,
        user: { uid: 12_345, gid: 12_345 },
        ...more,
        env: { PATH: path, ...more.env },
      }),
    async [Symbol.asyncDispose]() {
      await images[Symbol.asyncDispose]();
      for (const name of Object.values(own)) await docker.getImage(name).remove();
    },
  };
}
