import { Tooltip } from "radix-ui";
import type { ReactNode } from "react";

/** Long enough that a pointer on its way elsewhere opens nothing. */
const delayMs = 300;

/** A sentence on what `children` means, for pointers and the keyboard; never the only place of it. */
export function Tip({ text, children }: { text: ReactNode; children: ReactNode }) {
  return (
    <Tooltip.Provider delayDuration={delayMs}>
      <Tooltip.Root>
        <Tooltip.Trigger asChild>{children}</Tooltip.Trigger>
        <Tooltip.Portal>
          <Tooltip.Content
            sideOffset={6}
            collisionPadding={8}
            className="z-50 max-w-72 rounded-lg bg-solid px-2.5 py-1.5 text-[13px] text-pretty text-solid-ink shadow-lg"
          >
            {text}
          </Tooltip.Content>
        </Tooltip.Portal>
      </Tooltip.Root>
    </Tooltip.Provider>
  );
}
