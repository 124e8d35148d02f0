//! Rules over logins, secret answers and PINs, and the rule over matches.

use super::names::{
    ADDRESS_WALLETS, ANONYMIZER, DEVICE_WALLETS, LOGIN_COUNTRY, OPERATION_COUNTRY, PASSWORD_BLOCK, PASSWORD_CAPTCHA,
    PIN_RUN, REPEATED, SECRET_CAPTCHA,
};
use super::windows::{size, wallets};
use super::{DAY, Fault, GeoRecord, HOUR, Kind, LATENESS, Naive, Now, Op, Time};

impl Naive<'_> {
    pub(super) fn login_rules(&mut self, now: Now<'_>) -> Vec<&'static str> {
        let op = now.op;
        let mut fired = Vec::new();
        if op.kind != Kind::Login {
            return fired;
        }
        if op.success != Some(true) {
            fired.extend(self.address_tries(now));
            return fired;
        }
        let geo = op.ip.as_deref().and_then(|ip| self.record(ip));
        if let Some(record) = geo {
            let bad = ["vpn", "public_proxy", "residential_proxy", "tor"];
            let fires = record.flags.iter().any(|flag| bad.contains(flag));
            self.tally.hit(ANONYMIZER, !fires && !record.flags.is_empty());
            if fires {
                fired.push(ANONYMIZER);
            }
        }
        fired.extend(self.country_change(now, LOGIN_COUNTRY));
        if let Some(device) = &op.device {
            let key = |o: &Op| o.kind == Kind::Login && o.success == Some(true) && o.device.as_ref() == Some(device);
            let samples = self.shared(now, DAY, key);
            let edge = samples.iter().any(|s| s.at == op.at - DAY);
            let count = self.fullest(op.at, DAY, samples, wallets);
            self.tally.hit(DEVICE_WALLETS, edge && count == 4);
            if self.more(count, 3) {
                fired.push(DEVICE_WALLETS);
            }
        }
        fired
    }

    /// A debit from another country than the last login's.
    pub(super) fn debit_from_abroad(&mut self, now: Now<'_>) -> Option<&'static str> {
        if !now.op.kind.is_debit() {
            return None;
        }
        self.country_change(now, OPERATION_COUNTRY)
    }

    fn country_change(&mut self, now: Now<'_>, rule: &'static str) -> Option<&'static str> {
        const SPAN: Time = 2 * HOUR;
        let country = self.record(now.op.ip.as_deref()?)?.country?;
        let (last_at, last) = self.last_login(now)?;
        if last == country {
            return None;
        }
        let elapsed = (now.op.at - last_at).abs();
        self.tally.hit(rule, elapsed == SPAN);
        (elapsed <= SPAN - Time::from(self.has(Fault::OpenWindow))).then_some(rule)
    }

    /// Different wallets that failed to log in from one address.
    fn address_tries(&mut self, now: Now<'_>) -> Option<&'static str> {
        let op = now.op;
        let ip = op.ip.as_ref()?;
        let key = |o: &Op| o.kind == Kind::Login && o.success == Some(false) && o.ip.as_ref() == Some(ip);
        let samples = self.shared(now, HOUR, key);
        let edge = samples.iter().any(|s| s.at == op.at - HOUR);
        let count = self.fullest(op.at, HOUR, samples, wallets);
        self.tally.hit(ADDRESS_WALLETS, edge && count == 11);
        self.more(count, 10).then_some(ADDRESS_WALLETS)
    }

    fn record(&self, ip: &str) -> Option<GeoRecord> {
        self.geo.iter().find(|record| record.address == ip).copied()
    }

    /// Time and country of the remembered login.
    fn last_login(&self, now: Now<'_>) -> Option<(Time, &'static str)> {
        let oldest = now.newest.map_or(Time::MIN, |newest| newest - 2 * HOUR - LATENESS);
        if now.late && self.has(Fault::LateJudgedAlone) {
            return None;
        }
        self.entries
            .iter()
            .filter(|e| e.op.kind == Kind::Login && e.op.success == Some(true))
            .filter(|e| e.op.wallet == now.op.wallet && self.counts(e))
            .filter_map(|e| {
                let record = self.record(e.op.ip.as_deref()?)?;
                Some((e.op.at, record.country?))
            })
            .filter(|(at, _)| *at <= self.reach)
            .max_by_key(|(at, _)| *at)
            .filter(|(at, _)| *at >= oldest)
    }

    /// Length of the run of failures with this one, and the time since the last of them.
    fn run(&self, now: Now<'_>) -> (u64, Option<Time>) {
        // Beside what attempts far ahead of the stream come to stands what the run is without them.
        let mut run: Option<(u64, Time)> = None;
        let mut ahead: Option<(u64, Time)> = None;
        let attempts =
            self.entries.iter().filter(|e| e.op.kind == now.op.kind && e.op.wallet == now.op.wallet && self.counts(e));
        for attempt in attempts {
            if ahead.is_some_and(|(_, last)| last <= attempt.reach) {
                run = ahead.take();
            }
            if attempt.op.success == Some(true) {
                if !self.has(Fault::StreakSurvivesSuccess) {
                    (run, ahead) = (None, None);
                }
                continue;
            }
            let at = attempt.op.at;
            let next = match run {
                Some((length, last)) if at - last <= DAY => (length + 1, last.max(at)),
                _ => (1, at),
            };
            if next.1 <= attempt.reach {
                run = Some(next);
            } else {
                ahead = Some(next);
            }
        }
        match ahead.filter(|(_, last)| *last <= self.reach).or(run) {
            Some((length, last)) if now.op.at - last <= DAY => (length + 1, Some(now.op.at - last)),
            _ => (1, None),
        }
    }

    pub(super) fn run_rules(&mut self, now: Now<'_>) -> Option<&'static str> {
        let op = now.op;
        if op.success != Some(false) {
            return None;
        }
        match op.kind {
            Kind::Login => {
                let (position, gap) = self.run(now);
                let captcha = position % 6 >= 3;
                self.tally.hit(PASSWORD_CAPTCHA, captcha && gap == Some(DAY));
                if captcha {
                    return Some(PASSWORD_CAPTCHA);
                }
                (position % 6 == 0 && op.ip.is_some()).then_some(PASSWORD_BLOCK)
            }
            Kind::SecretAnswer => {
                let (position, gap) = self.run(now);
                self.tally.hit(SECRET_CAPTCHA, position == 3 || gap == Some(DAY));
                (position >= 3).then_some(SECRET_CAPTCHA)
            }
            Kind::Pin => {
                let (position, gap) = self.run(now);
                self.tally.hit(PIN_RUN, position == 5 || gap == Some(DAY));
                (position >= 5).then_some(PIN_RUN)
            }
            _ => None,
        }
    }

    /// The rule over matches: this operation and at least two others within 24 h.
    pub(super) fn repeated_suspicion(&mut self, now: Now<'_>, suspicious: bool) -> bool {
        let op = now.op;
        if !suspicious || !(op.kind.is_debit() || op.kind == Kind::Login) {
            return false;
        }
        let samples = self.own(now, DAY, |e| e.suspicious, true);
        let edge = samples.iter().any(|s| s.at == op.at - DAY);
        let count = self.fullest(op.at, DAY, samples, size);
        self.tally.hit(REPEATED, edge && count == 3);
        count >= 3
    }
}
