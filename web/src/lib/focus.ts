import type { AnyRouter } from "@tanstack/react-router";

/**
 * After a change of page the focus goes to its heading, as after a load of a document it would go
 * to its begin: unless the new page took the focus itself (a form's first field, a terminal).
 */
export function focusAfterNavigation(router: AnyRouter): void {
  router.subscribe("onRendered", ({ fromLocation, pathChanged }) => {
    if (fromLocation === undefined || !pathChanged) return;
    const { activeElement } = document;
    if (activeElement?.closest("main, dialog") !== null && activeElement !== null) return;
    document.querySelector<HTMLElement>("[data-page-heading]")?.focus({ preventScroll: true });
  });
}
