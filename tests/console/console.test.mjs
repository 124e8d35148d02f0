// The console in a real browser, against a running service. `cargo test --test external console::` sets all this up.
//
//   KUZET_URL              address of the service, http://127.0.0.1:8480
//   KUZET_RULES            folder of its rules, which it does not watch; the test changes and restores it
//   KUZET_BIN              the program, for the test that stops and starts one of its own
//   KUZET_TOKEN_SUPPORT    token with the role support
//   KUZET_TOKEN_ANALYST    token with the role analyst (and not support)
//   KUZET_TOKEN_LEDGER     token with the role ledger, which sends the operations of the test
//   KUZET_CONSOLE          folder of the console's source, for the tests of its files
//   CHROMIUM               the browser, /usr/bin/chromium
//   FIREFOX                another one for some tests, /usr/bin/firefox-esr; they are left out where it is not there
//
// A service without tokens (on loopback) is tested too; then the tests of roles are left out.
import "./decisions.mjs";
import "./clients.mjs";
import "./rules.mjs";
import "./everywhere.mjs";
