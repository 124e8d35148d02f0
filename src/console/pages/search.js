// One box for whatever a person has in hand: it is looked up as everything that it may be.
import { get, Problem, segment, useLoad } from "../api.js";
import { html, useEffect } from "../html.js";
import { local, t, word } from "../i18n.js";
import { decisionHref, decisionsHref, Empty, Failure, Heading, idText, Loading, ruleHref, walletHref } from "../parts.js";
import { goInstead } from "../router.js";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const ADDRESS = /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f]{0,4}(:[0-9a-f]{0,4}){2,7}(\d{1,3}(\.\d{1,3}){3})?)$/i;
/** What groups digits and letters: spaces, which no id has, and marks, which an id may have. */
const SPACES = /[\s\u2009\u00a0\u202f]/g;
const GROUPING = /[\s\u2009\u00a0\u202f()_-]/g;

const number = (text) => /^(?:#|№)\s*(\d[\d\s\u2009\u00a0\u202f]*)$/.exec(text)?.[1].replace(GROUPING, "");

/** What a text may name: as it stands, and without what groups it. */
const spellings = (text) => [...new Set([text, text.replace(SPACES, ""), text.replace(GROUPING, "")])].filter(Boolean);

/** The first spelling of which something is known. */
async function first(texts, look) {
  for (const text of texts) {
    const found = await look(text);
    if (found) return found;
  }
  return null;
}

async function orNothing(promise) {
  try {
    return await promise;
  } catch (error) {
    // 400: the text cannot be such a thing; 403: not for this person; 404: there is none.
    if (error instanceof Problem && [0, 400, 403, 404].includes(error.status)) return null;
    throw error;
  }
}

/** Whether there are decisions of these filters: their list, or the one that there is. */
async function decisions(filters, signal) {
  const query = new URLSearchParams({ ...filters, order: "desc", limit: "2" });
  const found = await orNothing(get(`/v1/decisions?${query}`, signal));
  const items = found?.decisions ?? [];
  if (!items.length) return null;
  return items.length === 1 ? decisionHref(items[0].seq) : decisionsHref(filters);
}

const kinds = {
  wallet: (text, signal) => first(spellings(text), async (id) =>
    (await orNothing(Promise.resolve().then(() => get(`/v1/wallets/${segment(id)}`, signal)))) && walletHref(id)),
  operation: (text, signal) => first(spellings(text), (id) => decisions({ op_id: id }, signal)),
  decision: (text, signal) => (UUID.test(text) ? decisions({ decision_id: text.toLowerCase() }, signal) : null),
  restriction: (text, signal) => (UUID.test(text) ? decisions({ restriction_id: text.toLowerCase() }, signal) : null),
  address: (text, signal) => (ADDRESS.test(text) ? decisions({ ip: text }, signal) : null),
  device: (text, signal) => first([text], (device) => decisions({ device }, signal)),
  counterparty: (text, signal) => first(spellings(text), (counterparty) => decisions({ counterparty }, signal)),
  rule: async (text, signal) => {
    const found = await orNothing(get("/v1/rules", signal));
    const wanted = text.toLowerCase();
    const names = (rule) => [rule.id, local(rule.title)].map((name) => name.toLowerCase());
    const rule = (found?.rules ?? []).find((known) => names(known).includes(wanted));
    return rule ? ruleHref(rule.id) : null;
  },
};

/** Looks a text up as everything that it may be; gives what was found, `[kind, address]` each. */
async function lookUp(text, signal) {
  const seq = number(text);
  if (seq) return [["decision", decisionHref(seq)]];
  const found = await Promise.all(Object.entries(kinds).map(async ([kind, look]) => [kind, await look(text, signal)]));
  // An operation that is found by its id is not found a second time by its decision's.
  const seen = new Set();
  return found.filter(([, address]) => address && !seen.has(address) && seen.add(address));
}

export function Page({ query }) {
  const text = (query.get("q") || "").trim();
  const load = useLoad((signal) => lookUp(text, signal), [text]);
  const found = load.value;
  useEffect(() => {
    if (found?.length === 1) goInstead(found[0][1]);
  }, [found]);
  const items = (found ?? []).map(([kind, address]) => html`<li><a href=${address} class="primary">${word("found_", kind)}</a></li>`);
  return html`<div class="page"><${Heading} title=${t("search_title", { text: idText(text) })}/>
    ${load.error && html`<${Failure} error=${load.error} retry=${load.again}/>`}
    ${!found && !load.error && html`<${Loading}/>`}
    ${found && (items.length ? html`<ul class="found">${items}</ul>` : html`<${Empty}>${t("search_nothing")}<//>`)}</div>`;
}
