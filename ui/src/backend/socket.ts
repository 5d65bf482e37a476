import type { VideoEndpoint } from "../bindings/view";
import type { VideoLink } from "../video/feed";

/** Opens the loopback socket of the pictures: the token is the first message, then frames come and credits go. */
export function openSocket(
  endpoint: VideoEndpoint,
  onMessage: (message: ArrayBuffer) => void,
  onClosed: () => void,
): Promise<VideoLink> {
  const socket = new WebSocket(endpoint.url);
  socket.binaryType = "arraybuffer";
  return new Promise((resolve, reject) => {
    socket.onclose = () => {
      reject(new Error("the video socket was refused"));
    };
    socket.onopen = () => {
      socket.send(endpoint.token);
      socket.onclose = onClosed;
      socket.onmessage = (event: MessageEvent<unknown>) => {
        if (event.data instanceof ArrayBuffer) onMessage(event.data);
      };
      resolve({
        credit: (stream) => {
          if (socket.readyState === WebSocket.OPEN) socket.send(Uint8Array.of(stream));
        },
        close: () => {
          socket.onclose = null;
          socket.onmessage = null;
          socket.close();
        },
      });
    };
  });
}
