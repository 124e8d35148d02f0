//! Places where a test may end the process: `KUZET_TEST_FAILPOINT=step:n` aborts it when it reaches the
//! step for the n-th time. Only with the feature `faults`; otherwise nothing is read and nothing happens.

/// Tells that a step is reached.
#[cfg(feature = "faults")]
pub fn reached(step: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static ASKED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static TIMES: AtomicU64 = AtomicU64::new(0);
    let asked = ASKED.get_or_init(|| {
        #[expect(clippy::disallowed_methods, reason = "only a test's build reads this")]
        let text = std::env::var("KUZET_TEST_FAILPOINT").ok()?;
        let (step, times) = text.split_once(':')?;
        Some((step.to_owned(), times.parse().ok()?))
    });
    if let Some((at, times)) = asked
        && at == step
        && TIMES.fetch_add(1, Ordering::Relaxed) + 1 == *times
    {
        tracing::warn!(step, times, "a test ends the process here");
        std::process::abort();
    }
}

/// Tells that a step is reached.
#[cfg(not(feature = "faults"))]
pub const fn reached(_: &str) {}
