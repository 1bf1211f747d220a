import { Link } from "@tanstack/react-router";
import { useId } from "react";
import { formatPlace } from "../../../server/protocol/fact.ts";
import type { Preview, PreviewPart } from "../../../server/protocol/preview.ts";
import { plainText } from "../lib/plain-text.ts";
import { Button } from "./button.tsx";
import { CopyButton } from "./copy-button.tsx";
import { PlayIcon } from "./icons.tsx";

const titles: Readonly<Record<PreviewPart["kind"], string>> = {
  service: "Services",
  port: "Ports",
  volume: "Volumes",
  task: "Tasks",
  command: "Commands, when you ask for them",
  project: "Further repositories",
};
const kinds = Object.keys(titles) as PreviewPart["kind"][];

/** Places beyond these are further lines of the same part. */
const shownPlaces = 3;

interface PreviewPanelProps {
  preview: Preview;
  busy: boolean;
  /** The path of another one of the configurations. */
  onChoose: (path: string) => void;
  /** What of the repository could be put around it. */
  offered: readonly string[];
  /** The one of those that is chosen; null: none. */
  mirror: string | null;
  onMirror: (source: string | null) => void;
  onEdit: () => void;
}

/** What an open would run, with the line that asks for each part. It starts with a click only. */
export function PreviewPanel(props: PreviewPanelProps) {
  const { preview, busy, onChoose, offered, mirror, onMirror, onEdit } = props;
  const { configuration, choices, parts, leftOut, existing } = preview;
  return (
    <section
      aria-label="What would run"
      className="mt-5 overflow-hidden rounded-xl border border-line bg-surface text-sm"
    >
      <div className="border-b border-line px-4 py-3">
        <h2 className="font-semibold">What would run</h2>
        <p className="mt-0.5 text-[13px] text-pretty text-muted">{source(preview)}</p>
        {existing !== null && (
          <p className="mt-1 text-[13px]">
            You have a workspace of it already, {plainText(existing)}: Start leads there, and it
            stays as it is.
          </p>
        )}
      </div>
      {choices.length > 0 && (
        <Choices
          choices={choices}
          current={configuration.path}
          disabled={busy}
          onChoose={onChoose}
        />
      )}
      {offered.length > 0 && (
        <MirrorChoice
          offered={offered}
          current={mirror}
          disabled={busy || existing !== null}
          onChoose={onMirror}
        />
      )}
      <div className="space-y-4 px-4 py-3">
        <Secrets preview={preview} />
        {kinds.map((kind) => (
          <Parts
            key={kind}
            title={titles[kind]}
            parts={parts.filter((part) => part.kind === kind)}
          />
        ))}
        {leftOut.length > 0 && (
          <Parts
            title="Read, but not run"
            parts={leftOut.map(({ what, why, where }) => ({
              name: what,
              says: why,
              where: [where],
            }))}
          />
        )}
        <Text preview={preview} />
      </div>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2 border-t border-line px-4 py-3">
        <Button type="submit" kind="solid" busy={busy}>
          <PlayIcon className="size-3.5" /> Start
        </Button>
        <Button disabled={busy} onClick={onEdit}>
          Edit first
        </Button>
        <p className="min-w-48 flex-1 text-[13px] text-muted">Nothing starts until you press it.</p>
      </div>
    </section>
  );
}

function source({ configuration: { kind, path, summary } }: Preview): string {
  if (kind !== "found") return `As ${plainText(path)} says.`;
  return summary.length === 0
    ? "The repository has no devfile, and nothing that says what it is: you get a shell with the usual tools."
    : `The repository has no devfile. Found in it: ${plainText(summary.join(", "))}.`;
}

function Choices({
  choices,
  current,
  disabled,
  onChoose,
}: {
  choices: readonly string[];
  current: string;
  disabled: boolean;
  onChoose: (path: string) => void;
}) {
  const name = useId();
  return (
    <fieldset disabled={disabled} className="border-b border-line px-4 py-3">
      <legend className="float-left mb-1.5 w-full text-[13px] font-semibold">
        The repository has {choices.length} configurations. Which one counts? The answer is kept.
      </legend>
      {choices.map((path) => (
        <label key={path} className="flex min-h-8 w-full clear-both items-center gap-2.5">
          <input
            type="radio"
            name={name}
            value={path}
            checked={path === current}
            onChange={() => onChoose(path)}
            className="size-4 accent-accent"
          />
          <span className="font-mono text-[13px] break-all">{plainText(path)}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** Whether production's services stand around what is developed, and as which source has them. */
function MirrorChoice({
  offered,
  current,
  disabled,
  onChoose,
}: {
  offered: readonly string[];
  current: string | null;
  disabled: boolean;
  onChoose: (source: string | null) => void;
}) {
  const name = useId();
  const choices = [
    { value: null, text: "Nothing of it: the services of the devfile alone" },
    ...offered.map((source) => ({ value: source, text: source })),
  ];
  return (
    <fieldset disabled={disabled} className="border-b border-line px-4 py-3">
      <legend className="float-left mb-1.5 w-full text-[13px] font-semibold">
        Production&apos;s services around it
      </legend>
      {choices.map(({ value, text }) => (
        <label key={text} className="flex min-h-8 w-full clear-both items-center gap-2.5">
          <input
            type="radio"
            name={name}
            checked={value === current}
            onChange={() => onChoose(value)}
            className="size-4 accent-accent"
          />
          <span className={`text-[13px] break-all ${value === null ? "" : "font-mono"}`}>
            {plainText(text)}
          </span>
        </label>
      ))}
    </fieldset>
  );
}

/** What production keeps secret, and where its values come from here. */
function Secrets({ preview }: { preview: Preview }) {
  const secrets = preview.plan.mirror?.secrets ?? [];
  if (secrets.length === 0) return null;
  return (
    <section>
      <h3 className="text-[13px] font-semibold">Secrets</h3>
      <p className="mt-1 text-[13px] text-pretty text-muted">
        Production&apos;s values are never copied. Each is your variable of this name, if you have
        set one in{" "}
        <Link
          to="/settings/$section"
          params={{ section: "variables" }}
          className="text-ink underline underline-offset-2"
        >
          Settings
        </Link>
        ; otherwise a value is made for this workspace.
      </p>
      <ul className="mt-1.5 space-y-2">
        {secrets.map(({ variable, services, where }) => (
          <li key={variable} className="text-[13px]">
            <p className="break-words">
              <span className="font-mono text-xs font-medium">{plainText(variable)}</span>
              <span className="text-muted"> for {plainText(services.join(", "))}</span>
            </p>
            <p className="font-mono text-xs break-all text-muted">
              {plainText(where.map(formatPlace).join("  "))}
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Parts({
  title,
  parts,
}: {
  title: string;
  parts: readonly Pick<PreviewPart, "name" | "says" | "where">[];
}) {
  if (parts.length === 0) return null;
  return (
    <section>
      <h3 className="text-[13px] font-semibold">{title}</h3>
      <ul className="mt-1.5 space-y-2">
        {parts.map(({ name, says, where }) => (
          <li key={`${name} ${where[0] ?? ""}`} className="text-[13px]">
            <p className="break-words">
              <span className="font-medium">{plainText(name)}</span>
              <span className="text-muted">: {plainText(says)}</span>
            </p>
            {where.length > 0 && (
              <p className="font-mono text-xs break-all text-muted" title={where.join("\n")}>
                {plainText(where.slice(0, shownPlaces).join("  "))}
                {where.length > shownPlaces && ` and ${where.length - shownPlaces} more`}
              </p>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The configuration itself: of a found one, each part has its reason above it. */
function Text({ preview: { configuration } }: { preview: Preview }) {
  const { kind, path, text } = configuration;
  return (
    <details className="group">
      <summary className="w-fit cursor-pointer rounded text-[13px] text-muted hover:text-ink">
        {kind === "found" ? "As a devfile, with the reasons" : plainText(path)}
      </summary>
      <div className="relative mt-1.5">
        <pre
          tabIndex={0}
          aria-label={`The text of ${plainText(path)}`}
          className="max-h-96 overflow-auto rounded-lg bg-sunken p-3 font-mono text-xs leading-relaxed"
        >
          {plainText(text)}
        </pre>
        <span className="absolute top-1 right-1">
          <CopyButton text={text} label={`Copy the text of ${path}`} />
        </span>
      </div>
    </details>
  );
}
