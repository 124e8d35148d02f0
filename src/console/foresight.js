// What an event of support would do to each operation that waits: asked of the service whenever an answer changes, and
// sent for that state of the wallet only.
import { post, Problem, segment } from "./api.js";
import { batch, signal } from "./html.js";
import { addOperations } from "./parts.js";

export const LISTED_MOST = 50;
const AT_ONCE = 5;

/**
 * One dialog's look ahead. `form` tells the event: `path()` where it goes or `null` while it is not whole, `body()` what
 * it says, and `alone` the operations that are each settled by an event of their own, if it is that kind.
 */
export class Foresight {
  constructor(form) {
    this.form = form;
    /** `ready` or `asking`. */
    this.state = signal("ready");
    /** What the service answered: `{listed, state, restrictions}`. */
    this.found = signal(null);
    this.failed = signal(false);
    /** What was chosen for single operations, where that differs from what was chosen for all. */
    this.choices = signal(new Map());
    this.asked = 0;
    this.answered = Promise.resolve();
  }

  body() {
    return this.choices.peek().size ? { ...this.form.body(), order: "complete" } : this.form.body();
  }

  chosen(item) {
    return this.choices.value.get(item.op_id) ?? this.form.body().order ?? "complete";
  }

  will(item) {
    return this.choices.value.size && this.chosen(item) === "cancel" ? "cancel" : item.will;
  }

  /** What shows, as a text: whether a person has seen it. */
  seen() {
    const { listed = [] } = this.found.peek() ?? {};
    return listed.slice(0, LISTED_MOST).map((item) => `${item.op_id} ${this.will(item)}`).join("\n");
  }

  call(body, query) {
    return post(`${this.form.path()}${query}`, body);
  }

  /** Asks what would happen: of one event for all operations, or of one for each that is chosen. */
  async dryRun() {
    const { alone } = this.form;
    if (!alone) return this.call(this.body(), "?dry_run=true");
    const answers = await Promise.all(alone.map(({ op_id: id }) => this.call({ ...this.body(), ref_op_id: id }, "?dry_run=true")));
    const waiting = answers.flatMap((answer, index) => answer.waiting.filter(({ op_id: id }) => id === alone[index].op_id));
    return { ...answers[0], waiting };
  }

  async look(mine) {
    try {
      const answer = await this.dryRun();
      const listed = answer.waiting || [];
      await addOperations(listed.slice(0, LISTED_MOST), AT_ONCE);
      if (mine !== this.asked) return;
      batch(() => {
        this.found.value = { ...answer, listed };
        this.failed.value = false;
      });
    } catch (error) {
      // What is wrong with the event itself is said when it is sent.
      if (mine === this.asked) this.failed.value = !(error instanceof Problem);
    } finally {
      if (mine === this.asked) this.state.value = "ready";
    }
  }

  ask() {
    this.asked += 1;
    const isWhole = this.form.path() !== null;
    batch(() => {
      this.found.value = null;
      this.state.value = isWhole ? "asking" : "ready";
    });
    this.answered = isWhole ? this.look(this.asked) : Promise.resolve();
  }

  /** Chooses for one operation. */
  choose(item, order) {
    const next = new Map(this.choices.peek());
    for (const other of this.found.peek().listed) if (!next.has(other.op_id)) next.set(other.op_id, this.chosen(other));
    next.set(item.op_id, order);
    const isOne = new Set(next.values()).size === 1 && order === this.form.body().order;
    this.choices.value = isOne ? new Map() : next;
    this.ask();
  }

  /** What is chosen for all holds for each. */
  chooseForAll() {
    this.choices.value = new Map();
  }

  /** Sends events one after the other, each for the state that the one before left; gives all that was commanded. */
  async sendEach(bodies) {
    let state = this.found.peek()?.state;
    const commands = [];
    let decision = null;
    for (const body of bodies) {
      decision = await this.call(body, state ? `?${new URLSearchParams({ state })}` : "");
      commands.push(...(decision.commands || []));
      state = decision.state;
    }
    return { ...decision, commands };
  }

  /**
   * Sends the event, and before it one for each operation that is cancelled by itself. Sends nothing, and gives `null`,
   * where what would become of the operations was not yet to be seen.
   */
  async send() {
    const before = this.seen();
    await this.answered;
    if (this.seen() !== before) return null;
    const { alone } = this.form;
    if (alone) return this.sendEach(alone.map(({ op_id: id }) => ({ ...this.body(), ref_op_id: id })));
    const cancelled = this.choices.peek().size
      ? this.found.peek().listed.filter((item) => this.chosen(item) === "cancel") : [];
    const singly = cancelled.map((item) => ({ ...this.form.body(), order: "cancel", ref_op_id: item.op_id }));
    const rest = cancelled.length ? { ...this.form.body(), order: "complete" } : this.body();
    return this.sendEach([...singly, rest]);
  }
}

/** The path of a wallet's event; `null` where the wallet is not known yet, or has no path. */
export function eventPath(wallet, name) {
  try {
    return `/v1/wallets/${segment(wallet)}/${name}`;
  } catch {
    return null;
  }
}
