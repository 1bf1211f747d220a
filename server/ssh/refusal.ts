/** Everything that the gateway refuses, by a short reason: what the metrics count. */
export const refusals = [
  // Before anybody said anything
  "too-many-connections",
  "too-many-strangers",
  "too-many-strangers-near",
  "wrong-keys-near",
  // During the key exchange
  "handshake-too-slow",
  "protocol-error",
  // Signing in
  "long-user-name",
  "unknown-key",
  "bad-signature",
  "sha1-signature",
  "security-key",
  "key-type",
  "wrong-code",
  "abandoned-code",
  "password",
  "other-method",
  "too-many-attempts",
  "login-too-slow",
  // Signed in
  "too-many-channels",
  "tiny-packets",
  "too-many-forwards",
  "client-does-not-read",
  "beyond-window",
] as const;

export type Refusal = (typeof refusals)[number];
