use crate::engine::tests::{plan, rule};
use crate::engine::window::Entry;
use crate::operation::Time;
use crate::operation::time::SECOND;

use super::{SharedChange, SharedKey, SharedWindow};

/// Every login is of another wallet; one in eight of the last ones again.
#[test]
fn the_texts_of_a_window_leave_with_its_entries() {
    // The last wallet of a device: a window that wallets share.
    let plan = plan(&[rule("shared", "login", "last(login.wallet_id by device_id within 5m) = \"w\"", "skip")]);
    let key = SharedKey { aggregate: 0, key: 1 };
    let mut shared = SharedWindow::new(&plan, key);
    let mut clones = Vec::new();
    for op in 0..20_000_u64 {
        let symbol = if op % 8 == 7 { op - 3 } else { op };
        let entry = Entry { at: Time::EPOCH.plus(op.cast_signed() * SECOND), op, value: symbol.cast_signed() };
        shared.apply(&plan, &SharedChange::Insert { key, entry });
        shared.apply(&plan, &SharedChange::Text { key, symbol, text: format!("w-{symbol}").into() });
        assert_eq!(shared.text(symbol), Some(&*format!("w-{symbol}")));
        if op % 5_000 == 0 {
            clones.push((shared.clone(), symbol));
        }
    }
    let held: Vec<u64> = shared.state.values().map(i64::cast_unsigned).collect();
    assert!(held.iter().all(|symbol| shared.text(*symbol).is_some()), "every entry has its text");
    let (_, texts) = shared.cold_parts();
    assert!(texts.len() <= 2 * held.len() + held.len() / 8 + 32, "{} texts for {} entries", texts.len(), held.len());
    assert!(texts.len() < 10_000, "texts leave: {}", texts.len());
    for (clone, symbol) in clones {
        assert_eq!(clone.text(symbol), Some(&*format!("w-{symbol}")));
    }
}
