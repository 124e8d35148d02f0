package peers;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;

/** The fields of an operation that the five rules read. */
public final class Op {
    public enum Type { TRANSFER, PAYMENT, CASH_OUT, REDEMPTION, LOGIN, PIN, CANCELLED, IDENTITY_CONFIRMED, OTHER }

    private static final JsonFactory JSON = new JsonFactory();

    public String opId, walletId, typeName, ip, refOpId;
    public Type type;
    /** Nanoseconds since 1970. */
    public long at;
    /** Tiyn. */
    public long amount;
    /** A transfer to a client, to the acting wallet itself. */
    public boolean isToClient, isToSelf;
    public boolean isSuccess, isUnregistered, isCancelOrder;
    /** The proof is one of identity: `explanations` and `facts_established` lift nothing that the five rules place. */
    public boolean isIdentityProved, isProvedByPin;

    public boolean isDebit() {
        return type.ordinal() <= Type.REDEMPTION.ordinal();
    }

    /** Tells whether it is a successful login from an address that is known. */
    public boolean isLogin() {
        return type == Type.LOGIN && isSuccess && ip != null;
    }

    public static Op parse(byte[] json) throws IOException {
        Op op = new Op();
        String recipient = null;
        try (JsonParser p = JSON.createParser(json)) {
            if (p.nextToken() != JsonToken.START_OBJECT) throw new IOException("not an object");
            for (String name = p.nextFieldName(); name != null; name = p.nextFieldName()) {
                JsonToken value = p.nextToken();
                switch (name) {
                    case "op_id" -> op.opId = p.getText();
                    case "wallet_id" -> op.walletId = p.getText();
                    case "type" -> op.type = type(op.typeName = p.getText());
                    case "occurred_at" -> op.at = Times.parse(p.getText());
                    case "amount" -> op.amount = tiyn(p.getText());
                    case "ip" -> op.ip = p.getText();
                    case "outcome" -> op.isSuccess = "success".equals(p.getText());
                    case "client_status" -> op.isUnregistered = "unregistered".equals(p.getText());
                    case "ref_op_id" -> op.refOpId = p.getText();
                    case "proof" -> op.readProof(p.getText());
                    case "order" -> op.isCancelOrder = "cancel".equals(p.getText());
                    case "counterparty" -> {
                        for (String inner = p.nextFieldName(); inner != null; inner = p.nextFieldName()) {
                            p.nextToken();
                            switch (inner) {
                                case "kind" -> op.isToClient = "client".equals(p.getText());
                                case "wallet_id" -> recipient = p.getText();
                                default -> p.skipChildren();
                            }
                        }
                    }
                    default -> {
                        if (value.isStructStart()) p.skipChildren();
                    }
                }
            }
        }
        if (op.opId == null || op.walletId == null || op.type == null || op.at == 0) {
            throw new IOException("a field is missing");
        }
        op.isToClient &= op.type == Type.TRANSFER;
        op.isToSelf = op.isToClient && op.walletId.equals(recipient);
        return op;
    }

    private void readProof(String proof) {
        isProvedByPin = proof.equals("pin");
        isIdentityProved = switch (proof) {
            case "pin", "secret_answer", "identity_document", "mobile_contract", "agreed" -> true;
            default -> false;
        };
    }

    private static Type type(String name) {
        return switch (name) {
            case "transfer" -> Type.TRANSFER;
            case "payment" -> Type.PAYMENT;
            case "cash_out" -> Type.CASH_OUT;
            case "redemption" -> Type.REDEMPTION;
            case "login" -> Type.LOGIN;
            case "pin" -> Type.PIN;
            case "cancelled" -> Type.CANCELLED;
            case "identity_confirmed" -> Type.IDENTITY_CONFIRMED;
            default -> Type.OTHER;
        };
    }

    /** "5000", "5000.0" and "5000.00" are 500,000 tiyn. */
    static long tiyn(String text) throws IOException {
        long units = 0;
        int decimals = -1;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '.' && decimals < 0) {
                decimals = 0;
            } else if (c >= '0' && c <= '9' && decimals < 2) {
                units = units * 10 + (c - '0');
                if (decimals >= 0) decimals++;
            } else {
                throw new IOException("not an amount: " + text);
            }
        }
        for (int i = Math.max(decimals, 0); i < 2; i++) units *= 10;
        return units;
    }
}
