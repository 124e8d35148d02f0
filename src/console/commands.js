// Commands of decisions as sentences.
import { html } from "./html.js";
import { hasText, t, time, tn, word } from "./i18n.js";
import { clausesText, idSpan, lifters, ruleLink, walletLink } from "./parts.js";

function subject(command) {
  const of = command.subject || {};
  if (of.wallet !== undefined) return html`<span>${tn("subject_wallet", { id: walletLink(of.wallet) })}</span>`;
  const kind = of.ip !== undefined ? "ip" : "operation";
  return html`<span>${tn(`subject_${kind}`, { id: idSpan(of[kind] ?? "—") })}</span>`;
}

function commandKey(prefix, command) {
  const detail = command.challenge || command.direction;
  const key = `${prefix}${command.command}`;
  return detail && hasText(`${key}_${detail}`) ? `${key}_${detail}` : key;
}

const reasonText = (reason) => (hasText(`by_${reason}`) ? word("by_", reason) : word("source_", reason));

/** Since when and until when a command's restriction lasts, and who may lift it. */
function terms(command) {
  if (!command.from || command.command === "lift") return [];
  const from = time(command.from);
  const span = command.until ? tn("from_until", { from, until: time(command.until) }) : tn("from_open", { from });
  return [span, command.lifted_by?.length ? tn("lifted_by", { who: lifters(command.lifted_by) }) : t("lifted_by_nobody")];
}

/** A command as a sentence, and below it what it rests on. */
function Command({ command }) {
  const { ended } = command;
  let key = commandKey("cmd_", command);
  if (command.command === "lift" && !command.reason) key = "cmd_lift_plain";
  // What was asked for is over: the sentence says what was, and how it ended.
  if (ended && command.command === "hold") key = "cmd_hold_over";
  if (!hasText(key)) key = "cmd_other";
  const values = {
    subject: subject(command), command: command.command,
    reason: command.reason && reasonText(command.reason), to: command.to ? word("source_", command.to) : "—",
  };
  const end = ended && html`<span class="over" data-ended=${ended.command}>
    ${tn(`ended_${ended.command}`, { time: time(ended.at) })}</span>`;
  const rests = [end, command.rule && ruleLink(command.rule), clausesText(command.clauses), ...terms(command)];
  const small = rests.filter(Boolean).map((item) => html`<span>${item}</span>`);
  return html`<li class=${ended ? "over" : null}>
    <span class=${`mark mark-${command.command}`} aria-hidden="true"></span>
    <div><div>${tn(key, values)}</div><div class="muted small dots">${small}</div></div></li>`;
}

export function CommandList({ commands }) {
  if (!commands?.length) return null;
  return html`<ul class="commands">${commands.map((command) => html`<${Command} command=${command}/>`)}</ul>`;
}

/** The commands of a decision in a few words. */
export function effects(decision) {
  const words = (decision.commands || []).map((command) => {
    const key = commandKey("short_", command);
    return hasText(key) ? t(key) : command.command;
  });
  return [...new Set(words)].join(", ");
}
