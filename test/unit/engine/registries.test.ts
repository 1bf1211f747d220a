import { expect, it } from "vitest";
import { refusedPull } from "../../../server/engine/docker/registries.ts";

// What engines and registries were seen to answer; a name in it may be any of these words.
it.each([
  [
    "image-denied",
    404,
    "pull access denied for acme/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
  ],
  ["image-denied", 500, 'Head "https://ghcr.io/v2/acme/app/manifests/1": unauthorized'],
  ["image-denied", 500, 'Head "http://h/v2/acme/app/manifests/1": no basic auth credentials'],
  ["image-denied", 500, "unauthorized: authentication required"],
  ["image-not-found", 404, "manifest for acme/app:1 not found: manifest unknown: manifest unknown"],
  [
    "image-unavailable",
    500,
    'Get "https://h/v2/": dial tcp 10.0.0.1:443: connect: connection refused',
  ],
  [
    "image-unavailable",
    500,
    'Get "https://h/v2/": dial tcp: lookup unauthorized.test: no such host',
  ],
  ["image-unavailable", 500, 'Get "https://h/v2/denied:/x": EOF'],
  ["image-unavailable", 429, "toomanyrequests: You have reached your pull rate limit"],
  ["image-unavailable", 500, 'Get "https://h/v2/": x509: certificate signed by unknown authority'],
  ["image-unavailable", 500, "write /var/lib/docker/tmp/x: no space left on device"],
])("a pull is %s after %i %j", (code, statusCode, message) => {
  const said = Object.assign(new Error(message), { statusCode });
  const asked = { registry: "registry.test", hasCredential: false };
  expect(refusedPull("acme/app:1", asked, said).code).toBe(code);
});
