use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::Engine;
use crate::engine::enrich::{AddressFacts, Enriched};
use crate::engine::outcome::Disposition;
use crate::engine::shared::SharedView;
use crate::engine::tests::{plan, rule};
use crate::engine::wallet::key_of_row;
use crate::operation::decode::decode;

/// Operations come, some late, are cancelled and forgotten; the log grows over every threshold and shrinks again.
#[test]
fn the_counts_by_key_are_those_of_the_rows() {
    let rules = [
        rule("equal", "transfer", "count(transfer by wallet, amount within 3h) > 1", "skip"),
        rule(
            "same-party",
            "transfer",
            "distinct(transfer.amount by wallet, counterparty.wallet_id within 20h) > 2",
            "skip",
        ),
    ];
    let (mut engine, view) = (Engine::new(plan(&rules)), SharedView::default());
    let mut random = 11_u64;
    let mut below = |limit: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % limit
    };
    let (mut minute, mut counted, mut deep) = (0, 0, 0);
    for number in 0..4_000_u64 {
        // Days of few operations after days of many.
        minute += below([60, 240, 130][usize::try_from(number / 200 % 3).expect("small")]);
        let at = minute.saturating_sub(if below(8) == 0 { below(60) } else { 0 });
        let start = chrono::DateTime::from_timestamp(1_775_001_600, 0).expect("a time");
        let time =
            (start + chrono::TimeDelta::minutes(at.cast_signed())).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let head = format!(r#"{{"op_id":"o{number}","occurred_at":"{time}","wallet_id":"w","#);
        let line = if below(6) == 0 && number > 10 {
            format!(r#"{head}"type":"cancelled","ref_op_id":"o{}"}}"#, number - 1 - below(10))
        } else {
            let (amount, party) = (1 + below(4), below(3));
            format!(
                r#"{head}"type":"transfer","client_status":"identified","amount":"{amount}.00","currency":"KZT","counterparty":{{"kind":"client","wallet_id":"p{party}"}}}}"#
            )
        };
        let enriched = Enriched::new(decode(line.as_bytes()).expect("the line is accepted"), AddressFacts::UNKNOWN);
        let Disposition::Decided(mut outcome) = engine.decide(&enriched, &view) else { panic!("{line} is decided") };
        engine.apply(&enriched, &mut outcome.changes);

        let plan = Arc::clone(engine.plan());
        let wallet = engine.wallets.get(enriched.wallet, "w").expect("the wallet has acted");
        let Some(index) = wallet.index() else { continue };
        if index.is_deep() {
            deep += 1;
            continue;
        }
        let mut expected = HashMap::new();
        for row in wallet.rows(&plan) {
            for window in row.windows(plan.mask_words) {
                *expected.entry((window, key_of_row(&plan.aggregates[window], row))).or_insert(0_u32) += 1;
            }
        }
        let held: HashMap<(usize, u64), u32> = index.counts.iter().map(|(key, count)| (*key, *count)).collect();
        assert_eq!(held, expected, "after {line}");
        let seen = |(window, key): &(usize, u64)| index.may_hold(&plan, *window, *key);
        assert!(expected.keys().all(seen) && !index.may_hold(&plan, 0, 12_345));
        counted += 1;
    }
    assert!(counted > 500 && deep > 100, "{counted} logs of middle length, {deep} long ones");
}
