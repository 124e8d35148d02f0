// Which decisions are meant. The service filters what is stored; what comes with the stream is filtered here.

/** @typedef {import("./openapi").paths["/v1/decisions"]["get"]["parameters"]["query"]} Parameters */

/**
 * The filters of `GET /v1/decisions`, as they stand in the address of the page and in its requests.
 * @type {(keyof Parameters)[]}
 */
export const FILTERS = [
  "wallet", "rule", "verdict", "type", "from", "to", "amount_min", "amount_max", "op_id", "decision_id", "ip", "device",
  "counterparty", "restriction_id",
];
/** The stream does not tell what these ask for: only the service knows. */
const ONLY_SERVICE = ["ip", "device"];

/** Takes the filters from the query of an address. */
export function filtersOf(query) {
  return Object.fromEntries(FILTERS.map((name) => [name, query.get(name)?.trim()]).filter(([, value]) => value));
}

export const needsService = (filters) => ONLY_SERVICE.some((name) => filters[name]);

/** An amount in hundredths. */
function tiyn(text) {
  const match = /^(\d+)(?:\.(\d{0,2})\d*)?$/.exec(String(text ?? ""));
  return match ? BigInt(match[1] + (match[2] || "").padEnd(2, "0")) : null;
}

function hasAmount(item, filters) {
  if (!filters.amount_min && !filters.amount_max) return true;
  const amount = tiyn(item.amount);
  const [least, most] = [tiyn(filters.amount_min), tiyn(filters.amount_max)];
  return amount !== null && (least === null || amount >= least) && (most === null || amount <= most);
}

/** The other side's wallet, account and phone. */
const ids = (to) => [to?.wallet_id, to?.account, to?.phone];

/** Tells whether a decision of the stream is meant, as far as it tells. */
export function accepts(filters, item) {
  const is = (name, value) => !filters[name] || filters[name] === value;
  const at = Date.parse(item.occurred_at);
  const rules = () => [...item.matches, ...item.commands].map(({ rule }) => rule);
  return is("wallet", item.wallet_id) && is("verdict", item.verdict) && is("type", item.type) && is("op_id", item.op_id)
    && is("decision_id", item.decision_id) && (!filters.rule || rules().includes(filters.rule))
    && (!filters.from || at >= Date.parse(filters.from)) && (!filters.to || at < Date.parse(filters.to))
    && (!filters.counterparty || ids(item.counterparty).includes(filters.counterparty))
    && (!filters.restriction_id || item.commands.some((command) => command.restriction_id === filters.restriction_id))
    && hasAmount(item, filters);
}
