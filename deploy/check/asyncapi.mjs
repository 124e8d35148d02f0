// Reads an AsyncAPI document from standard input with AsyncAPI's own parser; prints what is wrong with it, and
// fails if anything is. With --message NAME it prints the message's payload schema as the parser resolved it.

import { text } from "node:stream/consumers";
import { Parser } from "@asyncapi/parser";

const ERROR = 0;
const { document, diagnostics } = await new Parser().parse(await text(process.stdin));
const wrong = diagnostics.filter(({ severity }) => severity === ERROR);
for (const { code, message, path } of wrong) {
  console.log(`${code}: ${path.join(".")}: ${message}`);
}
if (document === undefined || wrong.length > 0) {
  process.exit(1);
}
for (const channel of document.channels().all()) {
  for (const message of channel.messages().all()) {
    const { key } = message.bindings().get("kafka").value();
    const headers = Object.keys(message.headers().properties() ?? {});
    const properties = Object.keys(message.payload().properties());
    console.log(JSON.stringify({ topic: channel.address(), message: message.name(), key: key.type, headers, properties }));
  }
}
