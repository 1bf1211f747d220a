import type { LiveWorkspace } from "../lib/live.ts";
import { IconButton } from "./button.tsx";
import { EventLog } from "./event-log.tsx";
import { CrossIcon } from "./icons.tsx";

type ActivityProps = Pick<LiveWorkspace, "events" | "leftOut"> & {
  state: NonNullable<LiveWorkspace["workspace"]>["state"];
};

/** Events, and what of the configuration is not run: listed, never hidden. */
export function Activity({ events, leftOut, state }: ActivityProps) {
  return (
    <div className="space-y-6">
      <EventLog events={events} state={state} />
      {leftOut.length > 0 && (
        <section className="rounded-xl border border-line bg-surface p-4">
          <h3 className="text-sm font-semibold">Read, but not run</h3>
          <ul className="mt-2 space-y-2 text-[13px]">
            {leftOut.map(({ what, why, where }) => (
              <li key={`${where} ${what}`}>
                <span className="font-medium">{what}</span>
                <span className="text-muted">: {why}</span>
                <p className="font-mono text-xs break-all text-muted">{where}</p>
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}

/** The same beside the terminals. */
export function ActivityDrawer({ onClose, ...props }: ActivityProps & { onClose: () => void }) {
  return (
    <aside
      aria-label="Activity"
      onKeyDown={(event) => {
        if (event.key === "Escape") onClose();
      }}
      className="absolute inset-0 z-20 flex w-full flex-col border-l border-line bg-canvas md:static md:w-96"
    >
      <div className="flex h-11 shrink-0 items-center justify-between border-b border-line pr-2 pl-4">
        <h2 className="text-sm font-semibold">Activity</h2>
        <IconButton label="Close activity" size="medium" onClick={onClose} autoFocus>
          <CrossIcon />
        </IconButton>
      </div>
      <div className="min-h-0 flex-1 overflow-y-auto p-4">
        <Activity {...props} />
      </div>
    </aside>
  );
}
