import type { SourceModel } from "../protocol/source-model.ts";

/** What stands for a value that is not shown. */
export const hidden = "(not shown)";

/** Words of names that hold secrets, between the borders of words: `DB_PASS`, `apiKey`. */
const secretName =
  /pass(?:w(?:or)?d|phrase|code)?(?![a-z])|pwd|secret|token|credential|(?:api|access|private|signing|encryption|account|master|license|storage|shared|auth|session|app|secret)[-_.]?key|(?:^|[-_.])(?:key|pat|pin|salt|seed|jwt|hmac|dsn|auth|cookie|sas|otp)(?:$|[-_.])|connection[-_.]?string|webhook/i;

/** A part shorter than this would hide half of every sentence. */
const minChars = 4;
/** What looks like a key has so many characters at least: its mark, and twelve more. */
const minKeyChars = 14;
/** A key has some fifty. */
const maxSecretLines = 200;

/**
 * Hides what may be a secret in values that are shown: what a name says is one, passwords in URLs,
 * what looks like a key, and, wherever they stand, the values of all of those in both models.
 */
export class Redactor {
  /** By their first characters: a text is looked through once, however many there are. */
  readonly #secrets = new Map<string, string[]>();

  constructor(...models: readonly SourceModel[]) {
    const secrets = new Set<string>();
    const references = new Set<string>();
    const services = models.flatMap((model) => model.services);
    for (const { env } of services) {
      for (const [name, fact] of Object.entries(env)) {
        if (fact.known && (fact.value.kind === "secretRef" || fact.value.kind === "composed")) {
          references.add(name);
        }
      }
    }
    for (const { env } of services) {
      for (const [name, fact] of Object.entries(env)) {
        if (!fact.known || fact.value.kind !== "literal") continue;
        const { value } = fact.value;
        const secret = isSecretName(name) && !isSwitch(value);
        if (secret || references.has(name)) secrets.add(value);
        for (const part of passwordsIn(value)) secrets.add(part);
      }
    }
    // A file that is shown has one of several lines line by line.
    const lines = [...secrets].flatMap((each) => each.split(/\s*\n\s*/).slice(0, maxSecretLines));
    // Longer ones first: one may begin as another does.
    for (const secret of [...new Set([...secrets, ...lines])].toSorted(
      (a, b) => b.length - a.length,
    )) {
      if (secret.length < minChars) continue;
      const start = secret.slice(0, minChars);
      this.#secrets.set(start, [...(this.#secrets.get(start) ?? []), secret]);
    }
  }

  /** A variable's value as it may be shown. */
  value(name: string, value: string): string {
    return isSecretName(name) && !isSwitch(value) ? hidden : this.text(value);
  }

  /** Any other text. */
  text(text: string): string {
    let shown = "";
    for (let at = 0; at < text.length;) {
      const candidates = this.#secrets.get(text.slice(at, at + minChars));
      const found = candidates?.find((each) => text.startsWith(each, at));
      shown += found === undefined ? (text[at] ?? "") : hidden;
      at += found?.length ?? 1;
    }
    for (const part of passwordsIn(shown)) shown = shown.replaceAll(part, hidden);
    return shown;
  }

  /** An argument vector: what follows an option with a secret's name is one too. */
  argv(parts: readonly string[]): string {
    const shown = parts.map((part, at) => {
      const before = parts[at - 1] ?? "";
      if (/^--?[a-z]/i.test(before) && !before.includes("=") && isSecretOption(before))
        return hidden;
      const [option, ...rest] = part.split("=");
      if (rest.length > 0 && isSecretOption(option ?? "")) return `${option}=${hidden}`;
      return this.text(part);
    });
    return shown
      .map((part) => (/^[\w./:=@%+,()$-]+$/.test(part) ? part : JSON.stringify(part)))
      .join(" ");
  }
}

/** `ALLOW_EMPTY_PASSWORD=yes` holds none. */
export function isSwitch(value: string): boolean {
  return /^(?:true|false|yes|no|on|off|[01])?$/i.test(value);
}

export function isSecretName(name: string): boolean {
  return secretName.test(name.replaceAll(/([a-z])([A-Z])/g, "$1_$2"));
}

/** `--requirepass`, `-token` */
export function isSecretOption(option: string): boolean {
  return isSecretName(option.replace(/^-+/, "")) || /pass$/i.test(option);
}

/** Passwords in URLs, values of secret words in texts (`password=…`), and what looks like a key. */
function passwordsIn(text: string): string[] {
  const found: string[] = [];
  // An environment has thousands of values, and most are words.
  if (text.length < minKeyChars && !/[=:]/.test(text)) return found;
  for (const match of text.matchAll(/:\/\/[^\s/:@]*:([^\s@/]+)@/g)) found.push(match[1] ?? "");
  for (const match of text.matchAll(/([\w-]{2,40})\s*[=:]\s*("[^"]*"|'[^']*'|[^\s;,&"']+)/g)) {
    const [, name = "", value = ""] = match;
    if (isSecretName(name)) found.push(value.replaceAll(/^["']|["']$/g, ""));
  }
  for (const match of text.matchAll(
    /\b(?:sk|pk|rk|ghp|gho|ghs|glpat|xox[abp]|AKIA|ASIA|eyJ)[-_]?[\w.-]{12,}|-----BEGIN[^-]*PRIVATE KEY-----[\s\S]*/g,
  )) {
    found.push(match[0]);
  }
  // The words that stand for a secret begin like one.
  return found.filter((each) => each.length >= minChars && !hidden.startsWith(each));
}
