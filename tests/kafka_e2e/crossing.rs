//! Operations whose decisions look at other wallets, between simulated ones.
//!
//! Simulated wallets hardly meet: a million of their operations would not tell much of what a fleet shares.
//! Here groups of wallets share a device and an address, pay one another, mistype passwords, block themselves
//! and are unblocked, in bursts.

use kuzet::operation::Time;
use kuzet::operation::decode::decode;
use kuzet::operation::time::SECOND;

use crate::random::Random;

/// After so many simulated operations comes a burst.
const EVERY: usize = 20;
const BURST: i64 = 5;
/// So many bursts in a row are of the same group.
const BURSTS_OF_GROUP: usize = 20;
const GROUP: u64 = 8;

/// Adds bursts to simulated records, in the order of their times.
pub(crate) fn with_crossing(simulated: Vec<Vec<u8>>, seed: u64) -> Vec<Vec<u8>> {
    let mut random = Random(seed);
    let mut records = Vec::with_capacity(simulated.len() * 5 / 4);
    for (position, record) in simulated.into_iter().enumerate() {
        let at = decode(&record).expect("an operation").occurred_at;
        records.push(record);
        if position % EVERY == EVERY - 1 {
            let group = position / EVERY / BURSTS_OF_GROUP;
            for step in 0..BURST {
                let id = records.len();
                records.push(operation(&mut random, (group, id), at.plus(step * SECOND)).into_bytes());
            }
        }
    }
    records
}

fn operation(random: &mut Random, (group, id): (usize, usize), at: Time) -> String {
    let wallet = |member: u64| format!("7709{group:06}{member}");
    let member = random.below(GROUP);
    let chance = random.below(100_u64);
    // Few mistype, so that six in a row come about.
    let who = wallet(if (45..70).contains(&chance) { member % 2 } else { member });
    let (tiyn, other) = (100 * random.below(60_000_u64) + 1, wallet((member + 1 + random.below(GROUP - 1)) % GROUP));
    let money = format!(
        "\"client_status\":\"identified\",\"amount\":\"{}.{:02}\",\"device_id\":\"own-{who}\"",
        tiyn / 100,
        tiyn % 100
    );
    let address = format!("\"ip\":\"95.56.{}.{}\"", group / 250 % 250, group % 250);
    let login = |outcome: &str| format!("\"outcome\":\"{outcome}\",\"device_id\":\"shared-{group}\",{address}");
    let (kind, rest) = match chance {
        0..25 => ("transfer", format!("{money},\"counterparty\":{{\"kind\":\"client\",\"wallet_id\":\"{other}\"}}")),
        25..35 => ("payment", format!("{money},\"counterparty\":{{\"kind\":\"merchant\",\"account\":\"m-1\"}}")),
        35..45 => ("login", login("success")),
        45..70 => ("login", login("failure")),
        70..82 => ("login", login("success")),
        82..87 => ("wallet_block_requested", "\"actor\":\"support-1\"".to_owned()),
        87..94 => ("wallet_unblock_requested", "\"actor\":\"support-1\"".to_owned()),
        _ => ("ip_unblock_requested", address.clone()),
    };
    format!(
        "{{\"op_id\":\"crossing-{id}\",\"type\":\"{kind}\",\"occurred_at\":\"{at}\",\"wallet_id\":\"{who}\",{rest}}}"
    )
}
