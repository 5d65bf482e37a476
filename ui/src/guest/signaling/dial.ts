import type { Dial } from "./events";

/** Opens sockets to the server at this address. */
export function dialer(url: string): Dial {
  return (handlers) => {
    const socket = new WebSocket(url);
    socket.onopen = () => {
      handlers.opened();
    };
    socket.onmessage = (event: MessageEvent<unknown>) => {
      if (typeof event.data === "string") handlers.text(event.data);
    };
    socket.onclose = () => {
      handlers.closed("the connection to the server was closed");
    };
    return {
      send: (text) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(text);
      },
      close: () => {
        socket.onopen = socket.onmessage = socket.onclose = null;
        socket.close();
      },
    };
  };
}

/** The WebSocket beside a page: `https://host/` has `wss://host/ws`. */
export function socketBeside(page: string): string {
  const url = new URL("ws", page);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.hash = url.search = "";
  return url.href;
}
