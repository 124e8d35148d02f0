//! The pipeline as a replayer: answers become lines, in input order.

use crate::adapters::files::Record;
use crate::operation::decision::Decision;
use crate::operation::decode::{Rejection, RejectionCode, encode_rejection};
use crate::pipeline::{self, Answer, Pipeline, SharedStore};

use super::{Observed, Replayer, Summary};

impl<S: SharedStore> Replayer for Pipeline<S> {
    fn decide_batch(
        &mut self,
        records: &[Record<'_>],
        decisions: &mut Vec<u8>,
        rejected: &mut Vec<u8>,
        summary: &mut Summary,
    ) -> anyhow::Result<()> {
        let batch: Vec<_> =
            records.iter().map(|record| pipeline::Record { bytes: record.bytes, arrived_at: None }).collect();
        let committed = self.process(&batch)?;
        for (record, answer) in records.iter().zip(&committed.answers) {
            match answer {
                Answer::Decided(decision) => {
                    decision.encode(decisions);
                    decisions.push(b'\n');
                    observe(summary, decision);
                }
                Answer::Duplicate { .. } => summary.observe(Observed::Duplicate),
                Answer::Rejected(rejection) => {
                    let rejection = of_record(rejection, record);
                    encode_rejection(rejected, &rejection, record.index, 0, record.bytes);
                    rejected.push(b'\n');
                    summary.observe(Observed::Rejected(rejection.code));
                }
            }
        }
        summary.add_unknown_fields(committed.unknown_fields);
        Ok(())
    }
}

/// A line that was cut to bound memory is too large, whatever its beginning looks like.
fn of_record(rejection: &Rejection, record: &Record<'_>) -> Rejection {
    if record.is_truncated && rejection.code != RejectionCode::TooLarge {
        return Rejection { code: RejectionCode::TooLarge, ..rejection.clone() };
    }
    rejection.clone()
}

fn observe(summary: &mut Summary, decision: &Decision) {
    summary.observe_time(&decision.wallet_id, decision.occurred_at, decision.late);
    let mode = |enforced: bool| if enforced { "enforce" } else { "shadow" };
    let matches: Vec<(&str, &str)> = decision.matches.iter().map(|m| (&*m.rule, mode(m.enforced))).collect();
    let commands: Vec<&str> = decision.commands.iter().map(|command| command.kind.name()).collect();
    let degraded: Vec<&str> = decision.degraded.iter().map(|input| &**input).collect();
    summary.observe(Observed::Decision {
        verdict: decision.verdict.name(),
        matches: &matches,
        commands: &commands,
        is_late: decision.late,
        degraded: &degraded,
        unknown_fields: 0,
    });
}
