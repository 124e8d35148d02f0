package peers;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The five rules, and what works whatever the rules are: duplicates, waiting operations, cancellations, PINs,
 * proofs of identity.
 */
public final class Rules {
    private static final long TRANSFER_MAX = 100_000_00L;
    private static final int EQUAL_TRANSFERS_MAX = 10;
    private static final long EQUAL_WITHIN = Times.HOUR;
    private static final long COUNTRY_WITHIN = 2 * Times.HOUR, COUNTRY_BLOCK = 2 * Times.HOUR;
    private static final long DAY_MAX_MRP = 100;
    /** The longest day of Almaty. */
    private static final long DAY_KEPT = 25 * Times.HOUR;
    private static final int WAITING_MAX = 1_000;
    /** The MRP in tiyn by the Almaty day from which it is in force, as in rules/data/mrp.yaml, the newest first. */
    private static final long[][] MRP = {
        {Times.daysFromCivil(2026, 1, 1), 4325_00}, {Times.daysFromCivil(2025, 1, 1), 3932_00},
        {Times.daysFromCivil(2024, 1, 1), 3692_00}, {Times.daysFromCivil(2023, 1, 1), 3450_00},
        {Times.daysFromCivil(2022, 1, 1), 3063_00}, {Times.daysFromCivil(2021, 1, 1), 2917_00},
        {Times.daysFromCivil(2020, 4, 1), 2778_00}, {Times.daysFromCivil(2020, 1, 1), 2651_00},
    };

    static final String[] VERDICTS = {"allow", "challenge", "hold", "refuse"};
    private static final int ALLOW = 0, CHALLENGE = 1, HOLD = 2, REFUSE = 3;
    /** Matches as bits, in the order of rule ids. */
    private static final int DAILY = 1, EQUAL = 2, COUNTRY = 4, ANONYMIZER = 8, OVER_100K = 16, WAITING_LIMIT = 32;
    static final String[] RULES = {
        "daily-total-over-100-mrp", "equal-transfers-in-hour", "login-country-change", "login-through-anonymizer",
        "transfer-over-100k", "waiting-limit",
    };

    /** Decisions with the fields of kuzet's contract, and its headers where they go to Kafka. */
    public static final boolean FULL = Boolean.getBoolean("peers.full");

    private final Geo geo;

    public Rules(Geo geo) {
        this.geo = geo;
    }

    /** Decides an operation and changes the wallet's state; null for a duplicate. */
    public byte[] decide(WalletState state, Op op) {
        long id = hash(op.opId), at = op.at;
        if (state.isDuplicate(id)) return null;
        boolean isLate = at < state.newest - WalletState.LATENESS;
        short country = op.isLogin() ? geo.country(op.ip) : 0;
        int matches = matches(state, op, country);
        place(state, at, matches);
        int causes = op.isDebit() ? causes(state, matches) : 0;
        int verdict;
        if (op.isDebit() && state.isBlocked(at)) {
            verdict = REFUSE;
        } else if (causes != 0 && state.waiting.length >= WAITING_MAX) {
            verdict = REFUSE;
            matches |= WAITING_LIMIT;
        } else if ((causes & ~WalletState.PIN) != 0) {
            verdict = HOLD;
        } else if (causes != 0 || isWrongAnswer(state, op)) {
            verdict = CHALLENGE;
        } else {
            verdict = ALLOW;
        }
        boolean isRefused = verdict == REFUSE;
        if (!isRefused || state.newest != WalletState.NEVER) state.leaveBehind(isRefused ? state.newest : at);
        if (!isRefused) {
            if (causes != 0) state.startWaiting(id, at, causes);
            if (country != 0 && at >= state.loginAt) {
                state.loginAt = at;
                state.loginCountry = country;
            }
            carryOut(state, op);
        }
        int flag = (op.isDebit() ? WalletState.DEBIT : 0) | (op.isToClient ? WalletState.TO_CLIENT : 0);
        state.remember(id, at, op.amount, (byte) flag, isRefused);
        if (!FULL) return encode(op, verdict, matches);
        boolean isDegraded = geo.isSample && op.type == Op.Type.LOGIN && op.ip != null;
        return Contract.encode(op, verdict, matches, isLate, isDegraded);
    }

    private int matches(WalletState state, Op op, short country) {
        int matches = 0;
        if (op.isToClient) {
            if (op.amount > TRANSFER_MAX && !op.isToSelf) matches |= OVER_100K;
            if (equalTransfers(state, op) > EQUAL_TRANSFERS_MAX) matches |= EQUAL;
        }
        if (op.isDebit() && !op.isUnregistered) {
            long day = Times.almatyDay(op.at), mrp = mrp(day);
            boolean isConfirmed = Arrays.stream(state.confirmedDays).anyMatch(of -> of == day);
            if (mrp > 0 && !isConfirmed && ofDay(state, day) + op.amount > DAY_MAX_MRP * mrp) matches |= DAILY;
        }
        if (op.isLogin()) {
            if (geo.isAnonymizer(op.ip)) matches |= ANONYMIZER;
            boolean isKnown = country != 0 && state.loginCountry != 0
                    && state.loginAt >= state.newest - COUNTRY_WITHIN - WalletState.LATENESS;
            if (isKnown && state.loginCountry != country && Math.abs(op.at - state.loginAt) <= COUNTRY_WITHIN) {
                matches |= COUNTRY;
            }
        }
        return matches;
    }

    private static void place(WalletState state, long at, int matches) {
        if ((matches & EQUAL) != 0) state.monitor(0, at);
        if ((matches & COUNTRY) != 0) {
            state.block(at, at + COUNTRY_BLOCK);
            state.monitor(1, at);
        }
        if ((matches & ANONYMIZER) != 0) state.monitor(2, at);
    }

    private static int causes(WalletState state, int matches) {
        return state.monitorings(Long.MAX_VALUE)
                | ((matches & DAILY) != 0 ? WalletState.PIN : 0)
                | ((matches & OVER_100K) != 0 ? WalletState.OWN_HOLD : 0);
    }

    private static boolean isWrongAnswer(WalletState state, Op op) {
        return op.type == Op.Type.PIN && !op.isSuccess && op.refOpId != null && state.isWaitingForPin(hash(op.refOpId));
    }

    /** What the operation does by its type. */
    private static void carryOut(WalletState state, Op op) {
        switch (op.type) {
            case PIN -> {
                if (op.isSuccess && op.refOpId != null) answerChallenge(state, hash(op.refOpId));
            }
            case CANCELLED -> {
                long ref = hash(op.refOpId);
                int index = state.find(ref);
                if (index >= 0) state.flags[index] = 0;
                state.stopWaiting(i -> state.waiting[i] == ref);
            }
            case IDENTITY_CONFIRMED -> {
                if (op.refOpId == null) lift(state, op);
                else settle(state, op, hash(op.refOpId));
            }
            default -> {}
        }
    }

    /** A right PIN confirms the day of the operation that waits for it, and clears all challenges of that day. */
    private static void answerChallenge(WalletState state, long ref) {
        if (!state.isWaitingForPin(ref)) return;
        long day = Times.almatyDay(state.waitingSince[state.findWaiting(ref)]);
        if (Arrays.stream(state.confirmedDays).noneMatch(of -> of == day)) {
            state.confirmedDays = WalletState.with(state.confirmedDays, day);
        }
        for (int i = 0; i < state.waiting.length; i++) {
            if (Times.almatyDay(state.waitingSince[i]) == day) state.causes[i] &= ~WalletState.PIN;
        }
        state.stopWaiting(i -> state.causes[i] == 0);
    }

    /**
     * A proof lifts what fired last when it was given or before. What then waits for nothing more is released, or
     * cancelled where a block stands in the way: it waits no longer either way.
     */
    private static void lift(WalletState state, Op op) {
        if (!op.isIdentityProved) return;
        long at = op.at;
        int lifted = state.monitorings(at);
        state.lift(lifted);
        if (!op.isProvedByPin && state.isBlocked(at) && state.blockFired <= at) {
            state.blockedUntil = state.blockFired = WalletState.NEVER;
        }
        state.stopWaiting(i -> {
            int cleared = state.causes[i] & (lifted | (state.waitingSince[i] <= at ? WalletState.OWN_HOLD : 0));
            state.causes[i] &= (byte) ~cleared;
            return cleared != 0 && (op.isCancelOrder || state.causes[i] == 0);
        });
    }

    /** A proof with a reference speaks of one operation alone: restrictions of the wallet stay. */
    private static void settle(WalletState state, Op op, long ref) {
        int index = state.findWaiting(ref);
        if (index < 0) return;
        if (op.isIdentityProved) {
            int own = state.waitingSince[index] <= op.at ? WalletState.OWN_HOLD : 0;
            state.causes[index] &= (byte) ~(state.monitorings(op.at) | own);
        }
        if (op.isCancelOrder || state.causes[index] == 0) state.stopWaiting(i -> i == index);
    }

    /** The fullest closed hour that contains this transfer, of transfers to clients of the same amount. */
    private static int equalTransfers(WalletState state, Op op) {
        long[] near = new long[state.count + 1];
        long left = state.newest - EQUAL_WITHIN - WalletState.LATENESS;
        int count = 0;
        for (int i = 0; i < state.count; i++) {
            long at = state.times[i];
            boolean isEqual = (state.flags[i] & WalletState.TO_CLIENT) != 0 && state.amounts[i] == op.amount;
            if (isEqual && at >= left && Math.abs(at - op.at) <= EQUAL_WITHIN) near[count++] = at;
        }
        near[count++] = op.at;
        if (count <= EQUAL_TRANSFERS_MAX) return count;
        Arrays.sort(near, 0, count);
        int fullest = 0;
        for (int end = 0, begin = 0; end < count; end++) {
            while (near[begin] < near[end] - EQUAL_WITHIN) begin++;
            if (near[end] >= op.at && near[begin] <= op.at) fullest = Math.max(fullest, end - begin + 1);
        }
        return fullest;
    }

    /** The debits of a day; nothing once the day is over for good. */
    private static long ofDay(WalletState state, long day) {
        if (state.newest == WalletState.NEVER) return 0;
        if (Times.almatyDay(state.newest - WalletState.LATENESS) > day) return 0;
        long left = state.newest - DAY_KEPT - WalletState.LATENESS;
        long sum = 0;
        for (int i = 0; i < state.count; i++) {
            boolean isDebit = (state.flags[i] & WalletState.DEBIT) != 0 && state.times[i] >= left;
            if (isDebit && Times.almatyDay(state.times[i]) == day) sum += state.amounts[i];
        }
        return sum;
    }

    private static long mrp(long day) {
        for (long[] row : MRP) if (row[0] <= day) return row[1];
        return 0;
    }

    private static byte[] encode(Op op, int verdict, int matches) {
        StringBuilder to = new StringBuilder(160);
        to.append("{\"op_id\":\"").append(op.opId).append("\",\"verdict\":\"").append(VERDICTS[verdict])
                .append("\",\"matches\":[");
        for (int i = 0, left = matches; left != 0; i++, left >>= 1) {
            if ((left & 1) != 0) to.append('"').append(RULES[i]).append(left > 1 ? "\"," : "\"");
        }
        return to.append("]}").toString().getBytes(StandardCharsets.ISO_8859_1);
    }

    /** 64 bits; two ids of one wallet's day share them once in 10^16. */
    static long hash(String id) {
        long hash = 0xcbf29ce484222325L;
        for (int i = 0; i < id.length(); i++) hash = (hash ^ id.charAt(i)) * 0x9E3779B97F4A7C15L ^ hash >>> 32;
        hash = (hash ^ hash >>> 30) * 0xBF58476D1CE4E5B9L;
        return hash ^ hash >>> 31;
    }
}
