// The worker that all tabs of a browser share: their one connection to the stream of decisions.
import { memberOf } from "./stream.js";

addEventListener("connect", (event) => {
  const [port] = /** @type {MessageEvent} */ (event).ports;
  const take = memberOf((message) => port.postMessage(message));
  port.addEventListener("message", ({ data }) => take(data));
  port.start();
});
