/** What a key means in this window. */
export type Shortcut = "back" | "microphone" | "camera";

/** The shortcut that a key press stands for; letters belong to a field while one is being typed in. */
export function shortcut(event: KeyboardEvent): Shortcut | null {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.isComposing) return null;
  if (event.key === "Escape") return "back";
  if (event.target instanceof Element && event.target.closest("input, select, textarea") !== null) return null;
  switch (event.key.toLowerCase()) {
    case "m":
      return "microphone";
    case "v":
      return "camera";
    default:
      return null;
  }
}
