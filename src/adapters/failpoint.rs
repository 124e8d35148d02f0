//! Places where a test may end or halt the process. Only with the feature `faults`; otherwise nothing is read
//! and nothing happens.
//!
//! `KUZET_TEST_FAILPOINT=step:n` aborts the process when it reaches the step for the n-th time. `step:n:stop`
//! halts it there as SIGSTOP does, until it is sent SIGCONT; with `step:n:stall` the thread that reached the
//! step then sleeps on for a while, so that the other threads learn first what has happened meanwhile. With
//! `step:n:fault` only that thread ends.

/// Tells that a step is reached.
///
/// # Panics
/// A test asked for a fault there.
#[cfg(feature = "faults")]
pub fn reached(step: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static ASKED: OnceLock<Option<(String, u64, Option<String>)>> = OnceLock::new();
    static TIMES: AtomicU64 = AtomicU64::new(0);
    if let Some(simulation) = super::runtime::simulation() {
        return simulation.reached(step);
    }
    let asked = ASKED.get_or_init(|| {
        #[expect(clippy::disallowed_methods, reason = "only a test's build reads this")]
        let text = std::env::var("KUZET_TEST_FAILPOINT").ok()?;
        let mut parts = text.split(':').map(str::to_owned);
        Some((parts.next()?, parts.next()?.parse().ok()?, parts.next()))
    });
    if let Some((at, times, action)) = asked
        && at == step
        && TIMES.fetch_add(1, Ordering::Relaxed) + 1 == *times
    {
        match action.as_deref() {
            None => {
                tracing::warn!(step, times, "a test ends the process here");
                std::process::abort();
            }
            Some("fault") => {
                #[expect(clippy::panic, reason = "it stands for any fault in this thread")]
                {
                    panic!("a test ends the thread here: {step}");
                }
            }
            Some(action) => halt(step, action == "stall"),
        }
    }
}

/// Halts the process where it stands. The signal goes to this very thread: one that is sent to the process may reach
/// another thread first, and until that one has taken it this one would go on.
#[cfg(feature = "faults")]
fn halt(step: &str, is_stall: bool) {
    tracing::warn!(step, "a test halts the process here");
    let link = std::fs::read_link("/proc/thread-self").unwrap_or_default();
    let thread = link.file_name().map(|name| name.to_string_lossy().into_owned());
    let thread = thread.unwrap_or_else(|| std::process::id().to_string());
    let stopped = std::process::Command::new("kill").args(["-STOP", &thread]).status();
    if is_stall {
        std::thread::sleep(std::time::Duration::from_secs(2));
    }
    tracing::warn!(step, ?stopped, "the process goes on");
}

/// Tells that a step is reached.
#[cfg(not(feature = "faults"))]
pub const fn reached(_: &str) {}
