import { beforeEach, expect, it, vi } from "vitest";
import { openSocket } from "./socket";

class Socket {
  static readonly OPEN = 1;
  static last: Socket;
  readyState = 1;
  binaryType = "";
  sent: unknown[] = [];
  onopen: () => void = () => undefined;
  onclose: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;

  constructor(readonly url: string) {
    Socket.last = this;
  }
  send(message: unknown) {
    this.sent.push(message);
  }
  close() {
    this.onclose?.();
  }
}

const endpoint = { url: "ws://127.0.0.1:4100/", token: "once" };

beforeEach(() => {
  vi.stubGlobal("WebSocket", Socket);
});

it("says the token first, then takes bytes and gives credits", async () => {
  const taken = vi.fn();
  const opening = openSocket(endpoint, taken, () => undefined);
  Socket.last.onopen();
  const link = await opening;
  link.credit(1);
  expect(Socket.last.url).toBe(endpoint.url);
  expect(Socket.last.sent).toEqual(["once", Uint8Array.of(1)]);
  Socket.last.onmessage?.({ data: "text" });
  Socket.last.onmessage?.({ data: new ArrayBuffer(3) });
  expect(taken).toHaveBeenCalledExactlyOnceWith(new ArrayBuffer(3));
});

it("tells a refusal, a break and its own closing apart", async () => {
  const refused = openSocket(
    endpoint,
    () => undefined,
    () => undefined,
  );
  Socket.last.onclose?.();
  await expect(refused).rejects.toThrow("refused");

  const onClosed = vi.fn();
  const opening = openSocket(endpoint, () => undefined, onClosed);
  Socket.last.onopen();
  const link = await opening;
  Socket.last.onclose?.();
  expect(onClosed).toHaveBeenCalledTimes(1);
  link.close();
  expect(onClosed).toHaveBeenCalledTimes(1);
});
