import type { AnyRouter } from "@tanstack/react-router";
import { useEffect, useRef, type RefObject } from "react";

/** A change of page is under way, and its heading has not been shown yet. */
let arriving = false;

/** Notices changes of page; the first load of all is none. */
export function watchNavigation(router: AnyRouter): void {
  router.subscribe("onBeforeLoad", ({ fromLocation, pathChanged }) => {
    if (fromLocation !== undefined && pathChanged) arriving = true;
  });
}

/**
 * After a change of page the focus goes to its heading, as after a load of a document it would go
 * to its begin: unless the new page took the focus itself (a form's first field, a terminal).
 */
export function useFocusOnArrival(): RefObject<HTMLHeadingElement | null> {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (!arriving) return;
    arriving = false;
    const { activeElement } = document;
    if (activeElement !== null && activeElement.closest("main, dialog") !== null) return;
    heading.current?.focus({ preventScroll: true });
  }, []);
  return heading;
}
