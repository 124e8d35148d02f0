//! The signals that a running service takes.
//!
//! Each is heard from the moment that [`Signals`] is made, also before anyone waits for it: until then SIGTERM and
//! SIGHUP end a process as they do by default, in the middle of whatever it does.

use tokio::runtime::Runtime;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What was sent to the process and not taken up yet.
pub(super) struct Signals {
    #[cfg(unix)]
    terminate: Signal,
    #[cfg(unix)]
    interrupt: Signal,
}

/// SIGHUP, which asks for rules and databases to be read again.
#[cfg(unix)]
pub(super) struct Hangups(Signal);

impl Signals {
    /// Hears signals from now on.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub(super) fn hear(runtime: &Runtime) -> std::io::Result<Self> {
        let _runtime = runtime.enter();
        Ok(Self {
            #[cfg(unix)]
            terminate: signal(SignalKind::terminate())?,
            #[cfg(unix)]
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits until the process is asked to end.
    pub(super) async fn end(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        #[cfg(not(unix))]
        drop(tokio::signal::ctrl_c().await);
    }
}

#[cfg(unix)]
impl Hangups {
    /// Hears the signal from now on.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub(super) fn hear(runtime: &Runtime) -> std::io::Result<Self> {
        let _runtime = runtime.enter();
        Ok(Self(signal(SignalKind::hangup())?))
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Option<()> {
        self.0.recv().await
    }
}
