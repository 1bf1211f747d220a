import type Docker from "dockerode";

export type ImageConfig = Docker.ImageInspectInfo["Config"];

/**
 * Makes an image of a container's files, with an image's settings and not the container's own.
 *
 * @returns the id of that image
 */
export function commitContainer(
  docker: Docker,
  container: Docker.Container,
  image: { readonly config: ImageConfig; readonly name?: { repository: string; tag: string } },
): Promise<string> {
  const { config, name } = image;
  // All of it, and lists even where they are empty: what is not given, the engine takes from the
  // container, whose entry point is another.
  const body = {
    ...config,
    Entrypoint: config.Entrypoint ?? [],
    Cmd: config.Cmd ?? [],
    Labels: config.Labels ?? {},
  };
  const query = {
    container: container.id,
    pause: false,
    ...(name === undefined ? {} : { repo: name.repository, tag: name.tag }),
  };
  const options = {
    path: "/commit?",
    method: "POST",
    options: { _query: query, _body: body },
    statusCodes: { 201: true, 404: "no such container", 500: "server error" },
  };
  return new Promise((resolve, reject) => {
    docker.modem.dial(options, (error: unknown, data: unknown) => {
      if (error instanceof Error) reject(error);
      else resolve((data as { Id: string }).Id);
    });
  });
}
