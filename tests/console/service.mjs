// What scripts that start a service of their own share.
import { createServer } from "node:net";

export const sleep = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });

/** A port that nobody listens on. */
export async function freePort() {
  const server = createServer();
  await new Promise((done) => { server.listen(0, "127.0.0.1", done); });
  const { port } = server.address();
  await new Promise((done) => { server.close(done); });
  return port;
}
