//! Wrong tokens: how many a client may send, and what is said of them.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::warn;

use crate::config::TokenHash;

use super::connections::network_of;
use super::problem::Problem;

/// So many wrong tokens a client may send at once.
const WRONG_MAX: u32 = 100;
/// Then another one each time this has passed.
const FORGIVEN_EVERY: Duration = Duration::from_secs(1);
/// How often a line of the log tells of one client.
const TOLD_EVERY: Duration = Duration::from_secs(10);
/// How many clients are remembered at a time.
const CLIENTS_MAX: usize = 100_000;

/// Limits the guessing of tokens by client address, or network in IPv6. Who has sent a right token from an address
/// goes on with it, whatever others try from there; a token that is new there is not looked at while the limit holds.
#[derive(Debug, Default)]
pub struct Guesses {
    known: Mutex<Known>,
    /// Drawn anew by each process: in its log a client has a name of its own, which is not its address.
    key: RandomState,
}

#[derive(Debug, Default)]
struct Known {
    right: HashSet<(IpAddr, TokenHash)>,
    wrong: HashMap<IpAddr, Wrong>,
}

#[derive(Debug, Clone, Copy)]
struct Wrong {
    count: u32,
    /// When the count last fell.
    since: Instant,
    told: Option<Instant>,
    /// Wrong tokens since then.
    untold: u64,
}

impl Guesses {
    /// Notes a token that was sent, and whether it is one of those configured.
    ///
    /// # Errors
    /// 401: it is not; 429: the client has sent too many wrong ones.
    pub(super) fn note(&self, client: IpAddr, token: TokenHash, is_right: bool, now: Instant) -> Result<(), Problem> {
        let network = network_of(client);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if is_right && known.right.contains(&(network, token)) {
            return Ok(());
        }
        let wrong = known.wrong_of(network, now);
        let is_limited = wrong.count >= WRONG_MAX;
        if is_right && !is_limited {
            if known.right.len() >= CLIENTS_MAX {
                known.right.clear();
            }
            known.right.insert((network, token));
            return Ok(());
        }
        wrong.count = wrong.count.saturating_add(1).min(WRONG_MAX);
        wrong.untold += 1;
        if wrong.told.is_none_or(|told| now.duration_since(told) >= TOLD_EVERY) {
            warn!(client = self.name_in_log(network), tokens = wrong.untold, is_limited, "wrong tokens were sent");
            (wrong.told, wrong.untold) = (Some(now), 0);
        }
        drop(known);
        if is_limited {
            return Err(Problem::new(429, "found too many wrong tokens from this address; ask again later"));
        }
        Err(Problem::new(401, "the token is not one of those configured"))
    }

    fn name_in_log(&self, network: IpAddr) -> String {
        format!("{:016x}", self.key.hash_one(network))
    }
}

impl Known {
    /// Returns what is known of a client, with what was forgiven taken off.
    fn wrong_of(&mut self, network: IpAddr, now: Instant) -> &mut Wrong {
        if self.wrong.len() >= CLIENTS_MAX && !self.wrong.contains_key(&network) {
            self.wrong.retain(|_, wrong| wrong.count > wrong.forgiven(now));
            if self.wrong.len() >= CLIENTS_MAX {
                self.wrong.clear();
            }
        }
        let wrong = self.wrong.entry(network).or_insert(Wrong { count: 0, since: now, told: None, untold: 0 });
        let forgiven = wrong.forgiven(now);
        if forgiven > 0 {
            wrong.count = wrong.count.saturating_sub(forgiven);
            wrong.since = now;
        }
        wrong
    }
}

impl Wrong {
    fn forgiven(&self, now: Instant) -> u32 {
        let passed = now.duration_since(self.since).as_millis() / FORGIVEN_EVERY.as_millis();
        u32::try_from(passed).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_one_name_in_the_log_and_not_its_address() {
        let (guesses, other) = (Guesses::default(), Guesses::default());
        let (client, neighbour): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let name = guesses.name_in_log(client);
        assert_eq!(name, guesses.name_in_log(client));
        assert!(
            name.len() == 16 && name != guesses.name_in_log(neighbour) && name != other.name_in_log(client),
            "{name}"
        );
    }

    #[test]
    fn wrong_tokens_are_limited_and_right_ones_go_on() {
        let (guesses, start) = (Guesses::default(), Instant::now());
        let (client, other): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let [right, new, wrong] = ["right", "new", "wrong"].map(TokenHash::of);
        let status = |client, token, is_right, now| guesses.note(client, token, is_right, now).map_err(|p| p.status);
        assert_eq!(status(client, right, true, start), Ok(()));
        for _ in 0..WRONG_MAX {
            assert_eq!(status(client, wrong, false, start), Err(401));
        }
        assert_eq!(status(client, wrong, false, start), Err(429));
        assert_eq!(status(client, new, true, start), Err(429), "a right guess is not told from a wrong one");
        assert_eq!(status(client, right, true, start), Ok(()));
        assert_eq!(status(other, new, true, start), Ok(()));
        let later = start + FORGIVEN_EVERY;
        assert_eq!(status(client, wrong, false, later), Err(401));
        assert_eq!(status(client, wrong, false, later), Err(429));
    }
}
