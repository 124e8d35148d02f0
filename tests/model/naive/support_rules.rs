//! Rules over what support, the ledger, the courts and others say.

use super::names::{
    CASH_OUT, COMPLAINT, DISPUTED, DOCUMENTS, FRAUD, OWNERSHIP, SEIZURE, SUSPICION, TAMPERING, VOLUNTARY,
};
use super::{DAY, Kind, Naive, Now};

impl Naive<'_> {
    pub(super) fn support_rules(&mut self, now: Now<'_>) -> Option<&'static str> {
        let op = now.op;
        match op.kind {
            Kind::WalletBlock => Some(VOLUNTARY),
            Kind::OwnershipDisputed => Some(OWNERSHIP),
            Kind::CashOutWrong => Some(CASH_OUT),
            Kind::SuspicionConfirmed => Some(SUSPICION),
            Kind::OperationDisputed => Some(DISPUTED),
            Kind::FraudReported => Some(FRAUD),
            Kind::Tampering => Some(TAMPERING),
            Kind::Complaint => Some(COMPLAINT),
            Kind::SeizureOrdered => Some(SEIZURE),
            Kind::DocumentsRefused => {
                let (restricted, exact) = self.is_restricted(op);
                self.tally.hit(DOCUMENTS, exact);
                restricted.then_some(DOCUMENTS)
            }
            _ => None,
        }
    }

    /// Is the disputed operation at most 24 hours old?
    pub(super) fn is_disputed_in_time(&mut self, now: Now<'_>) -> bool {
        let age = self.reference_age(now);
        self.tally.hit(DISPUTED, age == Some(DAY) || age == Some(DAY + 1));
        let known = self.referred_to(now);
        let refused = known.is_some_and(|e| e.refused);
        let forgotten = known.is_none()
            && self.entries.iter().any(|e| e.op.wallet == now.op.wallet && Some(&e.op.id) == now.op.reference.as_ref());
        self.tally.see(match age {
            Some(age) if age > DAY => "disputed too late",
            Some(_) if refused => "disputed in time, had been refused",
            Some(_) => "disputed in time",
            None if forgotten => "disputed, no longer remembered",
            None if refused || known.is_some() => "disputed before it occurred",
            None => "disputed, never seen",
        });
        age.is_some_and(|age| age <= DAY)
    }
}
