package peers;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.function.IntPredicate;
import java.util.function.LongPredicate;

/** What is remembered of one wallet. Small and flat: it is written whole after every operation. */
public final class WalletState {
    /** Before any operation; far enough from the least number to subtract a window from it. */
    static final long NEVER = Long.MIN_VALUE / 2;
    /** How far an operation may lie behind the newest one before it is late. */
    static final long LATENESS = 10 * Times.MINUTE;
    static final long DUPLICATE_HORIZON = 24 * Times.HOUR;
    /** The longest day of Almaty and the allowed lateness. */
    private static final long KEPT = 25 * Times.HOUR + LATENESS;

    /** What windows count of a remembered operation; 0 for nothing. */
    static final byte DEBIT = 1, TO_CLIENT = 2;
    /** Why an operation waits: the PIN, its own hold, and from the third bit on one bit for each monitoring. */
    static final byte PIN = 1, OWN_HOLD = 2, FIRST_MONITORING = 4;
    /** The rules that place a monitoring: equal-transfers-in-hour, login-country-change, login-through-anonymizer. */
    static final int MONITORINGS = 3;

    long newest = NEVER;
    /** Remembered operations in order of arrival: against duplicates, and for windows. */
    int count;
    long[] ids = new long[4], times = new long[4], amounts = new long[4];
    byte[] flags = new byte[4];

    /** When the rule of each monitoring in force fired last; NEVER where none is in force. */
    final long[] monitored = {NEVER, NEVER, NEVER};
    /** The end of the block of debits, and when its rule fired last; NEVER where there is none. */
    long blockedUntil = NEVER, blockFired = NEVER;
    /** Days of Almaty that a PIN has confirmed. */
    long[] confirmedDays = {};
    /** Operations that wait, in order of arrival: ids, times, causes. */
    long[] waiting = {}, waitingSince = {};
    byte[] causes = {};
    long loginAt = NEVER;
    /** Two letters, 0 where none is known. */
    short loginCountry;

    /** The latest arrival with this id, or -1. */
    int find(long id) {
        for (int i = count - 1; i >= 0; i--) if (ids[i] == id) return i;
        return -1;
    }

    boolean isDuplicate(long id) {
        int index = find(id);
        return index >= 0 && times[index] >= newest - DUPLICATE_HORIZON;
    }

    void remember(long id, long at, long amount, byte flag, boolean isRefused) {
        if (!isRefused && at > newest) {
            newest = at;
            forget();
        }
        if (count == ids.length) {
            int size = count + Math.max(2, count / 2);
            ids = Arrays.copyOf(ids, size);
            times = Arrays.copyOf(times, size);
            amounts = Arrays.copyOf(amounts, size);
            flags = Arrays.copyOf(flags, size);
        }
        ids[count] = id;
        times[count] = at;
        amounts[count] = amount;
        flags[count++] = isRefused ? 0 : flag;
    }

    private void forget() {
        int kept = 0;
        for (int i = 0; i < count; i++) {
            if (times[i] < newest - KEPT) continue;
            ids[kept] = ids[i];
            times[kept] = times[i];
            amounts[kept] = amounts[i];
            flags[kept++] = flags[i];
        }
        count = kept;
    }

    /** Lets a block and confirmed days go that no operation within the allowed lateness can meet any more. */
    void leaveBehind(long passed) {
        long late = passed - LATENESS;
        if (blockedUntil <= late) blockedUntil = blockFired = NEVER;
        if (confirmedDays.length > 0) {
            long day = Times.almatyDay(late);
            confirmedDays = only(confirmedDays, of -> of >= day);
        }
    }

    boolean isBlocked(long at) {
        return at < blockedUntil;
    }

    /** Places the block, or extends the one that is in force. */
    void block(long at, long until) {
        blockedUntil = isBlocked(at) ? Math.max(blockedUntil, until) : until;
        blockFired = Math.max(blockFired, at);
    }

    /** Places a monitoring, which becomes a cause of everything that waits, or notes that its rule fired again. */
    void monitor(int monitoring, long at) {
        if (monitored[monitoring] == NEVER) {
            for (int i = 0; i < causes.length; i++) causes[i] |= (byte) (FIRST_MONITORING << monitoring);
        }
        monitored[monitoring] = Math.max(monitored[monitoring], at);
    }

    /** The monitorings in force, as causes; of those only that fired last at this time or before. */
    int monitorings(long firedUntil) {
        int found = 0;
        for (int i = 0; i < MONITORINGS; i++) {
            if (monitored[i] != NEVER && monitored[i] <= firedUntil) found |= FIRST_MONITORING << i;
        }
        return found;
    }

    void lift(int lifted) {
        for (int i = 0; i < MONITORINGS; i++) if ((lifted & FIRST_MONITORING << i) != 0) monitored[i] = NEVER;
    }

    void startWaiting(long id, long at, int why) {
        waiting = with(waiting, id);
        waitingSince = with(waitingSince, at);
        causes = Arrays.copyOf(causes, waiting.length);
        causes[waiting.length - 1] = (byte) why;
    }

    /** The position of an operation that waits, or -1. */
    int findWaiting(long id) {
        for (int i = 0; i < waiting.length; i++) if (waiting[i] == id) return i;
        return -1;
    }

    boolean isWaitingForPin(long id) {
        int index = findWaiting(id);
        return index >= 0 && (causes[index] & PIN) != 0;
    }

    void stopWaiting(IntPredicate ends) {
        int kept = 0;
        for (int i = 0; i < waiting.length; i++) {
            if (ends.test(i)) continue;
            waiting[kept] = waiting[i];
            waitingSince[kept] = waitingSince[i];
            causes[kept++] = causes[i];
        }
        if (kept < waiting.length) {
            waiting = Arrays.copyOf(waiting, kept);
            waitingSince = Arrays.copyOf(waitingSince, kept);
            causes = Arrays.copyOf(causes, kept);
        }
    }

    private static long[] only(long[] values, LongPredicate isKept) {
        for (long value : values) if (!isKept.test(value)) return Arrays.stream(values).filter(isKept).toArray();
        return values;
    }

    static long[] with(long[] values, long value) {
        long[] longer = Arrays.copyOf(values, values.length + 1);
        longer[values.length] = value;
        return longer;
    }

    public WalletState copy() {
        WalletState other = new WalletState();
        other.newest = newest;
        other.count = count;
        other.ids = ids.clone();
        other.times = times.clone();
        other.amounts = amounts.clone();
        other.flags = flags.clone();
        System.arraycopy(monitored, 0, other.monitored, 0, MONITORINGS);
        other.blockedUntil = blockedUntil;
        other.blockFired = blockFired;
        other.confirmedDays = confirmedDays.clone();
        other.waiting = waiting.clone();
        other.waitingSince = waitingSince.clone();
        other.causes = causes.clone();
        other.loginAt = loginAt;
        other.loginCountry = loginCountry;
        return other;
    }

    public byte[] encode() {
        int mask = monitorings(Long.MAX_VALUE) | (blockedUntil != NEVER ? 1 : 0);
        int size = 8 + 8 + 2 + 4 + 25 * count + 1 + 8 * Integer.bitCount(mask & ~1) + 16 * (mask & 1)
                + 1 + 8 * confirmedDays.length + 2 + 17 * waiting.length;
        ByteBuffer to = ByteBuffer.allocate(size);
        to.putLong(newest).putLong(loginAt).putShort(loginCountry).putInt(count);
        for (int i = 0; i < count; i++) to.putLong(ids[i]).putLong(times[i]).putLong(amounts[i]).put(flags[i]);
        to.put((byte) mask);
        for (long fired : monitored) if (fired != NEVER) to.putLong(fired);
        if (blockedUntil != NEVER) to.putLong(blockedUntil).putLong(blockFired);
        to.put((byte) confirmedDays.length);
        for (long day : confirmedDays) to.putLong(day);
        to.putShort((short) waiting.length);
        for (int i = 0; i < waiting.length; i++) to.putLong(waiting[i]).putLong(waitingSince[i]).put(causes[i]);
        return to.array();
    }

    public static WalletState decode(byte[] bytes) {
        ByteBuffer from = ByteBuffer.wrap(bytes);
        WalletState state = new WalletState();
        state.newest = from.getLong();
        state.loginAt = from.getLong();
        state.loginCountry = from.getShort();
        int count = state.count = from.getInt();
        if (count > state.ids.length) {
            state.ids = new long[count];
            state.times = new long[count];
            state.amounts = new long[count];
            state.flags = new byte[count];
        }
        for (int i = 0; i < count; i++) {
            state.ids[i] = from.getLong();
            state.times[i] = from.getLong();
            state.amounts[i] = from.getLong();
            state.flags[i] = from.get();
        }
        int mask = from.get();
        for (int i = 0; i < MONITORINGS; i++) {
            if ((mask & FIRST_MONITORING << i) != 0) state.monitored[i] = from.getLong();
        }
        if ((mask & 1) != 0) {
            state.blockedUntil = from.getLong();
            state.blockFired = from.getLong();
        }
        state.confirmedDays = new long[from.get()];
        for (int i = 0; i < state.confirmedDays.length; i++) state.confirmedDays[i] = from.getLong();
        int waiting = from.getShort();
        state.waiting = new long[waiting];
        state.waitingSince = new long[waiting];
        state.causes = new byte[waiting];
        for (int i = 0; i < waiting; i++) {
            state.waiting[i] = from.getLong();
            state.waitingSince[i] = from.getLong();
            state.causes[i] = from.get();
        }
        return state;
    }
}
