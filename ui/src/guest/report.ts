/** The story of a call, as a file that the browser saves: nothing is sent anywhere. */
import type { AppView } from "../bindings/view";

/** `open`: with addresses and the code in it. */
export function saveReport(view: AppView, story: readonly string[], code: string, open: boolean): string {
  const { connection, quality, version } = view;
  const path = open || connection.path === null ? connection.path : { kind: connection.path.kind };
  const report = { version, browser: navigator.userAgent, story, quality, path, ...(open && { code }) };
  const url = URL.createObjectURL(new Blob([JSON.stringify(report, null, 2)], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = "visavis-report.json";
  link.click();
  URL.revokeObjectURL(url);
  return link.download;
}
