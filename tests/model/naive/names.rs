//! The ids of the rules that the model knows, and what they have in common.

pub(crate) const TRANSFER_OVER: &str = "transfer-over-100k";
pub(crate) const EQUAL: &str = "equal-transfers-in-hour";
pub(crate) const ANONYMIZER: &str = "login-through-anonymizer";
pub(crate) const LOGIN_COUNTRY: &str = "login-country-change";
pub(crate) const OPERATION_COUNTRY: &str = "operation-country-change";
pub(crate) const DAILY: &str = "daily-total-over-100-mrp";
pub(crate) const PASSWORD_CAPTCHA: &str = "wrong-password-captcha";
pub(crate) const PASSWORD_BLOCK: &str = "wrong-password-ip-block";
pub(crate) const SECRET_CAPTCHA: &str = "wrong-secret-answer-captcha";
pub(crate) const VOLUNTARY: &str = "client-voluntary-block";
pub(crate) const OWNERSHIP: &str = "ownership-dispute-hold";
pub(crate) const CASH_OUT: &str = "cash-out-wrong-details";
pub(crate) const SUSPICION: &str = "suspicion-confirmed-block";
pub(crate) const DISPUTED: &str = "operation-disputed";
pub(crate) const REPEATED: &str = "repeated-suspicion-block";
pub(crate) const FRAUD: &str = "fraud-reported-block";
pub(crate) const DOCUMENTS: &str = "documents-refused-keep-block";
pub(crate) const TAMPERING: &str = "tampering-block";
pub(crate) const COMPLAINT: &str = "complaint-block";
pub(crate) const SEIZURE: &str = "seizure-block";
pub(crate) const LIMIT_UNIDENTIFIED: &str = "operation-limit-unidentified";
pub(crate) const LIMIT_IDENTIFIED: &str = "operation-limit-identified";
pub(crate) const STATUTORY: &str = "unidentified-statutory-limit";
pub(crate) const FLAGGED_PARTY: &str = "flagged-counterparty";
pub(crate) const FLAGGED_WALLET: &str = "flagged-wallet";
pub(crate) const GAMBLING: &str = "gambling-payout-report";
pub(crate) const STRUCTURING: &str = "structuring-below-100k";
pub(crate) const MULE: &str = "mule-in-and-out";
pub(crate) const DEVICE_WALLETS: &str = "one-device-many-wallets";
pub(crate) const ADDRESS_WALLETS: &str = "address-tries-many-wallets";
pub(crate) const PIN_RUN: &str = "wrong-pin-run";
pub(crate) const NEW_DEVICE: &str = "new-device-large-transfer";

pub(crate) const RULES: [&str; 32] = [
    TRANSFER_OVER,
    EQUAL,
    ANONYMIZER,
    LOGIN_COUNTRY,
    OPERATION_COUNTRY,
    DAILY,
    PASSWORD_CAPTCHA,
    PASSWORD_BLOCK,
    SECRET_CAPTCHA,
    VOLUNTARY,
    OWNERSHIP,
    CASH_OUT,
    SUSPICION,
    DISPUTED,
    REPEATED,
    FRAUD,
    DOCUMENTS,
    TAMPERING,
    COMPLAINT,
    SEIZURE,
    LIMIT_UNIDENTIFIED,
    LIMIT_IDENTIFIED,
    STATUTORY,
    FLAGGED_PARTY,
    FLAGGED_WALLET,
    GAMBLING,
    STRUCTURING,
    MULE,
    DEVICE_WALLETS,
    ADDRESS_WALLETS,
    PIN_RUN,
    NEW_DEVICE,
];

pub(crate) const SHADOW: [&str; 8] =
    [REPEATED, STATUTORY, STRUCTURING, MULE, DEVICE_WALLETS, ADDRESS_WALLETS, PIN_RUN, NEW_DEVICE];

/// Enforced rules of clause 7.15.
pub(super) const SUSPICIOUS: [&str; 8] =
    [TRANSFER_OVER, EQUAL, ANONYMIZER, LOGIN_COUNTRY, OPERATION_COUNTRY, FLAGGED_PARTY, FLAGGED_WALLET, GAMBLING];

/// Rules whose firing refuses the operation itself. A block that the rule places on the wallet's debits
/// refuses the debit that caused it.
pub(super) const REFUSING: [&str; 3] = [LIMIT_IDENTIFIED, LIMIT_UNIDENTIFIED, OPERATION_COUNTRY];

/// Who lifts where a rule does not say: the five proofs of identity.
pub(super) const IDENTITY: &[&str] = &["pin", "secret_answer", "identity_document", "mobile_contract", "agreed"];
