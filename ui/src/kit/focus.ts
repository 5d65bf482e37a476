/**
 * Takes the focus when a screen has replaced the one that had it, so that a screen reader reads the new one and keys go
 * on from its start. A field that took the focus by itself keeps it, and so does anything in front.
 */
export function takeFocus(screen: HTMLElement): void {
  if (document.activeElement === null || document.activeElement === document.body)
    screen.focus({ preventScroll: true });
}
