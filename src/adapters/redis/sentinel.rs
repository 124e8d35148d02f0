//! Whether the server still holds what it was given.
//!
//! Each part of the keys has a sentinel: a hash with a token that is there as long as the rest is. The tokens of all
//! parts make one, which the caller keeps with its state.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use redis::{Pipeline, Value};
use uuid::Uuid;

use super::answers::{bytes, items, text};
use super::codec::{self, Unreadable};
use super::epoch::Epoch;
use super::names::{Names, Part};
use crate::engine::shared::SharedView;
use crate::operation::Time;

/// How long the server remembers how many batches an instance wrote.
const WRITTEN_LIFE: Duration = Duration::from_secs(7 * 24 * 3_600);
/// Shorter, so that forgetting is never taken for losing.
const WRITTEN_KNOWN: Duration = Duration::from_secs(6 * 24 * 3_600);

/// What is known of the sentinels.
pub(super) struct Sentinels {
    names: Names,
    /// The token under which the caller's state is in the server.
    token: Option<String>,
    /// The tokens of the parts that make it up; empty until the server told them.
    of_parts: Vec<String>,
    pub(super) epoch: Epoch,
    /// Names this process.
    instance: String,
    /// Batches this process wrote to each part, and when the last was.
    written: HashMap<Part, (u64, Instant)>,
}

impl Sentinels {
    pub(super) fn new(names: Names, token: Option<String>) -> Self {
        let instance = Uuid::new_v4().simple().to_string();
        Self { names, token, of_parts: Vec::new(), epoch: Epoch::Unknown, instance, written: HashMap::new() }
    }

    /// Lists the parts whose sentinels have to be asked along with these: all of them when nothing is asked, or while
    /// it is not known which token each has.
    pub(super) fn to_ask(&self, parts: BTreeSet<Part>) -> Vec<Part> {
        let all = parts.is_empty() || self.of_parts.is_empty();
        if all { self.names.parts().collect() } else { parts.into_iter().collect() }
    }

    /// Asks for the sentinels of parts; after all else, for where a sentinel still stands, all that was read before it
    /// was there.
    pub(super) fn ask(&self, pipe: &mut Pipeline, parts: &[Part]) {
        for part in parts {
            pipe.cmd("GET").arg(self.names.written(*part, &self.instance));
            pipe.cmd("HMGET").arg(self.names.epoch(*part)).arg("token").arg("complete_from");
        }
    }

    /// Reads what [`Self::ask`] asked for; tells whether the server holds all that it was given.
    ///
    /// # Errors
    /// A time is not as this version writes it.
    pub(super) fn read(
        &mut self,
        parts: &[Part],
        answers: &[Value],
        view: &mut SharedView,
    ) -> Result<bool, Unreadable> {
        let mut found = Vec::with_capacity(parts.len());
        let (mut has_lost, mut complete_from) = (false, None::<Time>);
        for (part, pair) in parts.iter().zip(answers.chunks(2)) {
            let fields = pair.get(1).and_then(items).unwrap_or_default();
            found.push(fields.first().and_then(text));
            let whole_after = fields.get(1).and_then(bytes).map(codec::read_instant).transpose()?;
            complete_from = complete_from.max(whole_after);
            let remembered = pair.first().and_then(text).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
            // A server that started from an old copy, or a replica that took over, has the sentinel but not the rest.
            let written = self.written.get(part);
            has_lost |= written.is_some_and(|(written, at)| remembered < *written && at.elapsed() < WRITTEN_KNOWN);
        }
        view.complete_from = complete_from;
        let is_known = found.into_iter().collect::<Option<Vec<_>>>().is_some_and(|found| self.knows(parts, found));
        self.epoch = match &self.token {
            Some(token) if is_known && !has_lost && self.epoch != Epoch::RebuildDue => {
                Epoch::Current { token: token.clone() }
            }
            Some(_) | None => Epoch::RebuildDue,
        };
        Ok(self.epoch != Epoch::RebuildDue)
    }

    /// Tells whether these are the tokens under which the caller's state is in the parts.
    fn knows(&mut self, parts: &[Part], found: Vec<String>) -> bool {
        if !self.of_parts.is_empty() {
            return parts.iter().zip(&found).all(|(part, token)| self.of_parts.get(usize::from(*part)) == Some(token));
        }
        let is_known = self.token == Some(joined(&found));
        if is_known {
            self.of_parts = found;
        }
        is_known
    }

    /// Takes over the tokens of all parts, in their order: the caller has just given its state.
    pub(super) fn take(&mut self, tokens: Vec<String>) {
        let token = joined(&tokens);
        self.token = Some(token.clone());
        self.of_parts = tokens;
        self.epoch = Epoch::Current { token };
        self.written.clear();
    }

    /// Adds to a batch of changes that the parts it changes were written to once more.
    pub(super) fn add_written(&self, pipe: &mut Pipeline, parts: &BTreeSet<Part>) {
        for part in parts {
            let written = self.written.get(part).map_or(1, |(written, _)| written + 1);
            let command = pipe.cmd("SET").arg(self.names.written(*part, &self.instance)).arg(written);
            command.arg("EX").arg(WRITTEN_LIFE.as_secs());
        }
    }

    /// The server took such a batch.
    pub(super) fn note_written(&mut self, parts: &BTreeSet<Part>) {
        for part in parts {
            let written = self.written.get(part).map_or(1, |(written, _)| written + 1);
            self.written.insert(*part, (written, Instant::now()));
        }
    }
}

/// Makes one token of those of all parts: if they are the same, that one.
fn joined(tokens: &[String]) -> String {
    match tokens {
        [first, rest @ ..] if rest.iter().all(|token| token == first) => first.clone(),
        _ => {
            // FNV-1a: tokens are random, and nobody chooses them.
            let bytes = tokens.iter().flat_map(|token| token.bytes().chain([b',']));
            let prime = 0x0000_0000_0100_0000_0000_0000_0000_013b_u128;
            let start = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128;
            format!("{:032x}", bytes.fold(start, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(prime)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(token: Option<&str>, written: Option<&str>) -> [Value; 2] {
        let value = |text: Option<&str>| text.map_or(Value::Nil, |text| Value::BulkString(text.as_bytes().to_vec()));
        [value(written), Value::Array(vec![value(token), Value::Nil])]
    }

    #[test]
    fn a_part_that_was_lost_or_filled_by_another_is_found_out_when_it_is_asked() {
        let mut view = SharedView::default();
        let mut sentinels = Sentinels::new(Names::new(true), None);
        assert_eq!(sentinels.to_ask(BTreeSet::from([3])).len(), 64, "until the tokens are known");
        sentinels.take(vec!["t".to_owned(); 64]);
        assert_eq!(sentinels.epoch, Epoch::Current { token: "t".to_owned() });
        assert_eq!(sentinels.to_ask(BTreeSet::from([3])), [3]);
        assert_eq!(sentinels.to_ask(BTreeSet::new()).len(), 64);
        assert!(sentinels.read(&[3], &answer(Some("t"), None), &mut view).expect("no time"));
        sentinels.note_written(&BTreeSet::from([3]));
        assert!(sentinels.read(&[3], &answer(Some("t"), Some("1")), &mut view).expect("no time"));
        assert!(!sentinels.read(&[3], &answer(Some("t"), None), &mut view).expect("no time"), "a batch is gone");
        assert!(!sentinels.read(&[3], &answer(Some("t"), Some("1")), &mut view).expect("no time"), "until a rebuild");
        for lost in [None, Some("other")] {
            sentinels.take(vec!["t".to_owned(); 64]);
            assert!(!sentinels.read(&[5], &answer(lost, None), &mut view).expect("no time"));
        }
    }

    #[test]
    fn the_tokens_of_parts_make_one() {
        let tokens = |last: &str| [vec!["a".to_owned(); 63], vec![last.to_owned()]].concat();
        assert_eq!(joined(&tokens("a")), "a");
        assert_ne!(joined(&tokens("b")), joined(&tokens("c")));
        assert_eq!(joined(&tokens("b")), joined(&tokens("b")));
        let mut knowing = Sentinels::new(Names::new(true), Some(joined(&tokens("b"))));
        let answers: Vec<Value> = tokens("b").iter().flat_map(|token| answer(Some(token), None)).collect();
        let all = knowing.to_ask(BTreeSet::new());
        assert!(knowing.read(&all, &answers, &mut SharedView::default()).expect("no time"));
        assert_eq!(knowing.to_ask(BTreeSet::from([1])), [1]);
    }
}
