/**
 * The link that opens a call in a browser: the page beside a server's socket, with the code in the fragment, which browsers
 * don't send. `null` where there is no server, or none from which a browser would allow a call.
 */
export function guestLink(server: string, code: string): URL | null {
  if (!URL.canParse(server)) return null;
  const link = new URL(".", server);
  const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(link.hostname);
  if (link.protocol === "wss:") link.protocol = "https:";
  else if (link.protocol === "ws:" && loopback) link.protocol = "http:";
  else return null;
  link.hash = code;
  return link;
}
