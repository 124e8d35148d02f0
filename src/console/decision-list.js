// The decisions that a page lists: those that are stored, newest first, page by page, and those that come meanwhile,
// which wait until they are asked for, so that what shows stays where it is.
import { get } from "./api.js";
import { accepts, needsService } from "./filter.js";
import { batch, signal } from "./html.js";
import { listen, rejoin } from "./live.js";

const PAGE = 100;
/** Rows that stay while the newest are followed. */
export const KEPT = 500;
/** Of so many decisions that came meanwhile the rows are kept; beyond that they are only counted. */
const WAITING_MOST = 1000;
/** A step back in history reads so many pages of the service, each of bounded cost, before it asks whether to go on. */
const LOOKS_MOST = 12;
/** Where only the service can filter, it is asked so long after new decisions came. */
const LOOK_AFTER = 3000;

const newestFirst = (a, b) => b.seq - a.seq;

export class DecisionList {
  constructor(filters) {
    this.filters = filters;
    this.items = signal([]);
    /** How many came meanwhile. */
    this.fresh = signal(0);
    this.isFollowing = signal(false);
    /** What older decisions are doing: `idle`, `busy`, `far` (much was read, little found) or `ended`. */
    this.older = signal("idle");
    this.error = signal(null);
    /** Whether the first page has come. */
    this.isOpen = signal(false);
    /** The time up to which history was looked through. */
    this.lookedTo = signal(null);
    this.waiting = [];
    /** What the stream told of before the first page came. */
    this.early = [];
    /** The newest decision of all when the stream was joined. */
    this.joinedAt = 0;
    this.hasGap = false;
    this.newest = 0;
    this.next = null;
    this.timer = null;
    this.leaving = new AbortController();
  }

  query(more) {
    return new URLSearchParams({ ...this.filters, order: "desc", limit: String(PAGE), ...more });
  }

  /** Begins to listen, and shows the newest page unless rows are kept from before. */
  open() {
    this.leaving = new AbortController();
    this.unlisten = listen(this.filters, (message) => this.hear(message));
    if (!this.isOpen.peek()) this.reload();
  }

  close() {
    this.leaving.abort();
    this.unlisten?.();
    clearTimeout(this.timer);
    this.timer = null;
  }

  /** Shows the newest page in the place of all rows. */
  async reload() {
    batch(() => {
      this.error.value = null;
      this.items.value = [];
      this.fresh.value = 0;
      this.older.value = "idle";
      this.isOpen.value = false;
    });
    Object.assign(this, { waiting: [], newest: 0, next: null, hasGap: false });
    await this.loadOlder();
  }

  /** Goes on where the list ends. */
  async loadOlder() {
    if (!["idle", "far"].includes(this.older.peek())) return;
    this.older.value = "busy";
    const { signal: leaving } = this.leaving;
    try {
      let found = [];
      for (let looks = 0; looks < LOOKS_MOST && !found.length && this.older.peek() === "busy"; looks += 1) {
        const page = await get(`/v1/decisions?${this.query(this.next === null ? {} : { after: this.next })}`, leaving);
        found = page.decisions;
        const hasEnded = page.next <= 1 || page.next === this.next;
        this.next = page.next;
        this.newest = Math.max(this.newest, found[0]?.seq ?? 0);
        if (hasEnded) this.older.value = "ended";
      }
      const isFirst = !this.isOpen.peek();
      batch(() => {
        this.items.value = [...this.items.peek(), ...found];
        this.isOpen.value = true;
        if (this.older.peek() === "busy") this.older.value = found.length ? "idle" : "far";
      });
      if (isFirst) {
        this.arrive(this.early.splice(0));
        this.closeGap();
      }
    } catch (error) {
      if (leaving.aborted) {
        this.older.value = "idle";
        return;
      }
      batch(() => {
        this.error.value = error;
        this.older.value = "idle";
      });
    }
  }

  hear(message) {
    if (message.type === "joined") {
      this.joinedAt = message.last;
      if (this.isOpen.peek()) this.closeGap();
      return;
    }
    if (needsService(this.filters)) {
      if (message.passed) this.lookSoon(LOOK_AFTER);
      return;
    }
    // What was sent before the filters changed is none of these.
    this.arrive(message.items.filter((item) => accepts(this.filters, item)));
  }

  /** Asks for what came between the first page and the joining of the stream. */
  closeGap() {
    if (this.joinedAt > this.newest) this.lookSoon(0);
  }

  lookSoon(milliseconds) {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.look();
    }, milliseconds);
  }

  /** Asks the service for the newest page, and takes what is new in it. */
  async look() {
    try {
      const { decisions } = await get(`/v1/decisions?${this.query({})}`, this.leaving.signal);
      // More than a page came: what lies between shows when it is asked for.
      if (decisions.length === PAGE && decisions.at(-1).seq > this.newest && this.newest) this.hasGap = true;
      this.arrive([...decisions].reverse());
    } catch {
      // The stream says what is wrong, and the next look finds what this one missed.
    }
  }

  arrive(items) {
    // The first page may hold it already.
    if (!this.isOpen.peek()) {
      this.early.push(...items);
      return;
    }
    const fresh = items.filter((item) => item.seq > this.newest);
    if (!fresh.length) return;
    this.newest = fresh.at(-1).seq;
    this.waiting.push(...fresh);
    this.count = this.fresh.peek() + fresh.length;
    if (this.waiting.length > WAITING_MOST) {
      this.waiting.splice(0, this.waiting.length - WAITING_MOST);
      this.hasGap = true;
    }
    // Nothing that a person looks at moves where there is nothing yet.
    if (this.isFollowing.peek() || (this.isOpen.peek() && !this.items.peek().length)) this.showFresh();
    else this.fresh.value = this.count;
  }

  /** Puts what came meanwhile on top. */
  showFresh() {
    const arrived = this.waiting.splice(0).sort(newestFirst);
    const before = this.hasGap && !this.isFollowing.peek() ? null : this.items.peek();
    this.hasGap = false;
    if (!before) {
      this.reload();
      return;
    }
    const all = [...arrived, ...before];
    // While the newest are followed, the oldest rows go; they come again by scrolling.
    const kept = this.isFollowing.peek() ? all.slice(0, KEPT) : all;
    batch(() => {
      this.fresh.value = 0;
      this.items.value = kept;
      if (kept.length < all.length) {
        this.next = kept.at(-1).seq;
        this.older.value = "idle";
      }
    });
  }

  follow(wanted) {
    this.isFollowing.value = wanted;
    if (wanted) this.showFresh();
  }

  /** Tries again after a failure. */
  retry() {
    this.error.value = null;
    rejoin();
    if (this.isOpen.peek()) this.loadOlder();
    else this.reload();
  }
}
