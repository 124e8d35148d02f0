//! The model's own operation: what the contract says an operation is, and its JSON line.

use chrono::{DateTime, FixedOffset, SecondsFormat};
use serde_json::{Map, Value, json};

/// Nanoseconds since 1970-01-01T00:00Z.
pub(crate) type Time = i64;

pub(crate) const MS: Time = 1_000_000;
pub(crate) const SECOND: Time = 1_000 * MS;
pub(crate) const MINUTE: Time = 60 * SECOND;
pub(crate) const HOUR: Time = 60 * MINUTE;
pub(crate) const DAY: Time = 24 * HOUR;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Transfer,
    Payment,
    CashOut,
    Redemption,
    TopUp,
    Refund,
    Login,
    SecretAnswer,
    Pin,
    Cancelled,
    WalletBlock,
    WalletUnblock,
    OwnershipDisputed,
    IdentityConfirmed,
    IpUnblock,
    CashOutWrong,
    FraudReported,
    DocumentsRefused,
    Tampering,
    SuspicionConfirmed,
    OperationDisputed,
    Complaint,
    SeizureOrdered,
    SeizureLifted,
    RuleRearmed,
}

const KINDS: [(Kind, &str); 25] = [
    (Kind::Transfer, "transfer"),
    (Kind::Payment, "payment"),
    (Kind::CashOut, "cash_out"),
    (Kind::Redemption, "redemption"),
    (Kind::TopUp, "top_up"),
    (Kind::Refund, "refund"),
    (Kind::Login, "login"),
    (Kind::SecretAnswer, "secret_answer"),
    (Kind::Pin, "pin"),
    (Kind::Cancelled, "cancelled"),
    (Kind::WalletBlock, "wallet_block_requested"),
    (Kind::WalletUnblock, "wallet_unblock_requested"),
    (Kind::OwnershipDisputed, "ownership_disputed"),
    (Kind::IdentityConfirmed, "identity_confirmed"),
    (Kind::IpUnblock, "ip_unblock_requested"),
    (Kind::CashOutWrong, "cash_out_details_wrong"),
    (Kind::FraudReported, "fraud_reported"),
    (Kind::DocumentsRefused, "documents_refused"),
    (Kind::Tampering, "tampering_detected"),
    (Kind::SuspicionConfirmed, "suspicion_confirmed"),
    (Kind::OperationDisputed, "operation_disputed"),
    (Kind::Complaint, "complaint_received"),
    (Kind::SeizureOrdered, "seizure_ordered"),
    (Kind::SeizureLifted, "seizure_lifted"),
    (Kind::RuleRearmed, "rule_rearmed"),
];

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        KINDS.iter().find(|(kind, _)| *kind == self).expect("every kind has a name").1
    }

    fn parse(name: &str) -> Self {
        KINDS.iter().find(|(_, known)| *known == name).expect("a known type").0
    }

    pub(crate) fn is_debit(self) -> bool {
        matches!(self, Self::Transfer | Self::Payment | Self::CashOut | Self::Redemption)
    }

    pub(crate) fn is_credit(self) -> bool {
        matches!(self, Self::TopUp | Self::Refund)
    }

    pub(crate) fn is_money(self) -> bool {
        self.is_debit() || self.is_credit()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Party {
    pub(crate) kind: String,
    pub(crate) wallet: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) phone: Option<String>,
}

/// Equality is equality of content, as duplicates are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Op {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) at: Time,
    pub(crate) wallet: String,
    pub(crate) status: Option<String>,
    /// Tiyn.
    pub(crate) amount: Option<i64>,
    pub(crate) party: Option<Party>,
    pub(crate) ip: Option<String>,
    pub(crate) device: Option<String>,
    pub(crate) success: Option<bool>,
    pub(crate) reference: Option<String>,
    pub(crate) proof: Option<String>,
    /// `order: cancel`; the default `complete` is false.
    pub(crate) cancel: bool,
    pub(crate) actor: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) purpose: Option<String>,
    /// The rule that is armed again.
    pub(crate) rearms: Option<String>,
}

impl Op {
    /// An operation with what its type demands left to the callers below.
    pub(crate) fn new(kind: Kind, id: &str, wallet: &str, at: Time) -> Self {
        Self {
            id: id.to_owned(),
            kind,
            at,
            wallet: wallet.to_owned(),
            status: None,
            amount: None,
            party: None,
            ip: None,
            device: None,
            success: None,
            reference: None,
            proof: None,
            cancel: false,
            actor: None,
            source: None,
            purpose: None,
            rearms: None,
        }
    }

    /// The wallet of the other side.
    pub(crate) fn recipient(&self) -> Option<&String> {
        self.party.as_ref()?.wallet.as_ref()
    }

    pub(crate) fn amount(mut self, tiyn: i64) -> Self {
        self.amount = Some(tiyn);
        self
    }

    pub(crate) fn status(mut self, status: &str) -> Self {
        self.status = Some(status.to_owned());
        self
    }

    /// A counterparty of this kind, with or without a wallet.
    pub(crate) fn party(mut self, kind: &str, wallet: Option<&str>) -> Self {
        self.party = Some(Party { kind: kind.to_owned(), wallet: wallet.map(str::to_owned), ..Party::default() });
        self
    }

    pub(crate) fn ip(mut self, ip: &str) -> Self {
        self.ip = Some(ip.to_owned());
        self
    }

    pub(crate) fn device(mut self, device: &str) -> Self {
        self.device = Some(device.to_owned());
        self
    }

    pub(crate) fn outcome(mut self, success: bool) -> Self {
        self.success = Some(success);
        self
    }

    pub(crate) fn reference(mut self, id: &str) -> Self {
        self.reference = Some(id.to_owned());
        self
    }

    /// `order: cancel`.
    pub(crate) fn cancelling(mut self) -> Self {
        self.cancel = true;
        self
    }

    pub(crate) fn proof(mut self, proof: &str) -> Self {
        self.proof = Some(proof.to_owned());
        self
    }

    pub(crate) fn source(mut self, source: &str) -> Self {
        self.source = Some(source.to_owned());
        self
    }

    /// The operation as the ledger may write it. `style` picks one of several spellings of the same
    /// content: the offset of the time, zeros of the amount, defaults written or left out.
    pub(crate) fn to_line(&self, style: u64) -> String {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| {
            object.insert(key.to_owned(), value);
        };
        put("op_id", json!(self.id));
        put("type", json!(self.kind.name()));
        put("occurred_at", json!(write_time(self.at, style)));
        put("wallet_id", json!(self.wallet));
        if let Some(status) = &self.status {
            put("client_status", json!(status));
        }
        if let Some(amount) = self.amount {
            put("amount", json!(write_amount(amount, style)));
            if style % 3 == 1 {
                put("currency", json!("KZT"));
            }
        }
        if let Some(party) = &self.party {
            let mut inner = Map::new();
            inner.insert("kind".to_owned(), json!(party.kind));
            for (key, value) in [("wallet_id", &party.wallet), ("account", &party.account), ("phone", &party.phone)] {
                if let Some(value) = value {
                    inner.insert(key.to_owned(), json!(value));
                }
            }
            put("counterparty", Value::Object(inner));
        }
        for (key, value) in [
            ("ip", &self.ip),
            ("device_id", &self.device),
            ("ref_op_id", &self.reference),
            ("proof", &self.proof),
            ("actor", &self.actor),
            ("source", &self.source),
        ] {
            if let Some(value) = value {
                put(key, json!(value));
            }
        }
        if let Some(success) = self.success {
            put("outcome", json!(if success { "success" } else { "failure" }));
        }
        if self.cancel {
            put("order", json!("cancel"));
        } else if self.kind == Kind::IdentityConfirmed && style % 2 == 1 {
            put("order", json!("complete"));
        }
        if let Some(purpose) = &self.purpose {
            put("attributes", json!({ "purpose": purpose }));
        }
        if let Some(rule) = &self.rearms {
            put("attributes", json!({ "rule": rule }));
        }
        Value::Object(object).to_string()
    }

    /// Reads a line that `to_line` wrote.
    pub(crate) fn from_line(line: &str) -> Self {
        let value: Value = serde_json::from_str(line).expect("a JSON line");
        let text = |value: &Value, key: &str| value[key].as_str().map(str::to_owned);
        let required = |key: &str| text(&value, key).expect("a required field");
        let mut op = Self::new(
            Kind::parse(&required("type")),
            &required("op_id"),
            &required("wallet_id"),
            read_time(&required("occurred_at")),
        );
        op.status = text(&value, "client_status");
        op.amount = text(&value, "amount").map(|amount| read_amount(&amount));
        op.party = value.get("counterparty").map(|party| Party {
            kind: text(party, "kind").expect("a counterparty has a kind"),
            wallet: text(party, "wallet_id"),
            account: text(party, "account"),
            phone: text(party, "phone"),
        });
        op.ip = text(&value, "ip");
        op.device = text(&value, "device_id");
        op.success = text(&value, "outcome").map(|outcome| outcome == "success");
        op.reference = text(&value, "ref_op_id");
        op.proof = text(&value, "proof");
        op.cancel = text(&value, "order").is_some_and(|order| order == "cancel");
        op.actor = text(&value, "actor");
        op.source = text(&value, "source");
        op.purpose = text(&value["attributes"], "purpose");
        op.rearms = text(&value["attributes"], "rule");
        op
    }
}

pub(crate) fn read_time(text: &str) -> Time {
    DateTime::parse_from_rfc3339(text).expect("an RFC 3339 time").timestamp_nanos_opt().expect("a time of this century")
}

pub(crate) fn write_time(at: Time, style: u64) -> String {
    let hours = [5, 0, 6, -3][usize::try_from(style % 4).expect("small")];
    let offset = FixedOffset::east_opt(hours * 3600).expect("a valid offset");
    DateTime::from_timestamp_nanos(at).with_timezone(&offset).to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn write_amount(tiyn: i64, style: u64) -> String {
    let (whole, rest) = (tiyn / 100, tiyn % 100);
    match (style % 3, rest) {
        (0, 0) => format!("{whole}"),
        (1, rest) if rest % 10 == 0 => format!("{whole}.{}", rest / 10),
        _ => format!("{whole}.{rest:02}"),
    }
}

fn read_amount(text: &str) -> i64 {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let whole: i64 = whole.parse().expect("whole tenge");
    let rest: i64 = format!("{rest:0<2}").parse().expect("two decimals");
    whole * 100 + rest
}
