package peers;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.HexFormat;

/**
 * Decisions with the fields and headers of kuzet's. One that nothing matched and that commands nothing has the
 * same bytes as kuzet's; the others have no evidence, no messages and no commands.
 */
public final class Contract {
    /** What kuzet calls the rules; a decision names them. */
    private static final String RULESET = System.getProperty("peers.ruleset", "000000000000");
    /** Names a history of a shard; it changes when a shard's numbers begin anew. */
    private static final String EPOCH = HexFormat.of().toHexDigits(System.nanoTime());
    /** The clauses of each rule, in the order of Rules.RULES. */
    private static final String[] CLAUSES = {
        "\"7.17\"", "\"7.15\"", "\"7.15\",\"7.16\"", "\"7.15\"", "\"7.15\"", "\"7.13\"",
    };
    /** The namespace of kuzet's ids. */
    private static final byte[] NAMESPACE = HexFormat.of().parseHex("6b757a65740050018000776174636800");
    private static final ThreadLocal<MessageDigest> SHA1 = ThreadLocal.withInitial(() -> {
        try {
            return MessageDigest.getInstance("SHA-1");
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error);
        }
    });
    private static final int ID_AT = "{\"decision_id\":\"".length();

    private Contract() {}

    static byte[] encode(Op op, int verdict, int matches, boolean isLate, boolean isDegraded) {
        StringBuilder to = new StringBuilder(512);
        to.append("{\"decision_id\":\"").append(id(op)).append("\",\"op_id\":\"").append(op.opId)
                .append("\",\"wallet_id\":\"").append(op.walletId).append("\",\"type\":\"").append(op.typeName)
                .append("\",\"occurred_at\":\"").append(time(op.at))
                .append("\",\"verdict\":\"").append(Rules.VERDICTS[verdict]).append("\",\"matches\":[");
        for (int i = 0, left = matches; left != 0; i++, left >>= 1) {
            if ((left & 1) != 0) {
                to.append("{\"rule\":\"").append(Rules.RULES[i]).append("\",\"clauses\":[").append(CLAUSES[i])
                        .append("],\"mode\":\"enforce\",\"evidence\":{}}");
                if (left > 1) to.append(',');
            }
        }
        to.append("],\"commands\":[],\"late\":").append(isLate)
                .append(",\"degraded\":[").append(isDegraded ? "\"geoip.anonymizer\"" : "")
                .append("],\"ruleset\":\"").append(RULESET).append("\"}");
        return to.toString().getBytes(StandardCharsets.UTF_8);
    }

    /** A UUID of version 5 over wallet and operation, as kuzet makes it. */
    static String id(Op op) {
        MessageDigest sha1 = SHA1.get();
        sha1.update(NAMESPACE);
        for (String part : new String[] {"decision", op.walletId, op.opId}) {
            sha1.update(part.getBytes(StandardCharsets.UTF_8));
            sha1.update((byte) 0xff);
        }
        byte[] hash = sha1.digest();
        hash[6] = (byte) (hash[6] & 0x0f | 0x50);
        hash[8] = (byte) (hash[8] & 0x3f | 0x80);
        String hex = HexFormat.of().formatHex(hash, 0, 16);
        return hex.substring(0, 8) + '-' + hex.substring(8, 12) + '-' + hex.substring(12, 16) + '-'
                + hex.substring(16, 20) + '-' + hex.substring(20);
    }

    /** UTC, with as many decimals of a second as are needed: 0, 3, 6 or 9. */
    static String time(long at) {
        return Instant.ofEpochSecond(Math.floorDiv(at, Times.SECOND), Math.floorMod(at, Times.SECOND)).toString();
    }

    /** Names and values of a record's headers, in turn; the decision's id is read out of its bytes. */
    public static String[] headers(
            String walletId, long at, byte[] decision, int shard, long sequence, String group) {
        return new String[] {
            "content-type", "application/json", "kuzet-shard", Integer.toString(shard),
            "kuzet-seq", Long.toString(sequence), "kuzet-ruleset", RULESET, "kuzet-epoch", EPOCH,
            "ce_specversion", "1.0", "ce_id", new String(decision, ID_AT, 36, StandardCharsets.US_ASCII),
            "ce_source", "/kuzet/" + group, "ce_type", "kz.kuzet.decision.v1", "ce_time", time(at),
            "ce_subject", walletId,
        };
    }
}
