import { expect, it } from "vitest";
import { guestLink } from "./guestLink";

it.each([
  ["wss://calls.example.org/ws", "https://calls.example.org/#4827-tulip-orbit"],
  ["wss://example.org:8443/visavis/ws", "https://example.org:8443/visavis/#4827-tulip-orbit"],
  ["ws://127.0.0.1:7880/ws", "http://127.0.0.1:7880/#4827-tulip-orbit"],
])("of %s is %s", (server, link) => {
  expect(guestLink(server, "4827-tulip-orbit")?.href).toBe(link);
});

it.each(["", "ws://192.0.2.7:7880/ws", "calls.example.org"])("there is none for %j", (server) => {
  expect(guestLink(server, "4827-tulip-orbit")).toBeNull();
});
