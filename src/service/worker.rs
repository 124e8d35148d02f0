//! The thread that decides and commits.
//!
//! It takes what waits in the queue as one batch: under load batches grow by themselves, and a lone
//! operation waits for nobody. A batch that cannot be committed is kept and tried again until it can be;
//! meanwhile nothing else is decided, and every caller hears why.

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot, watch};

use crate::adapters::memory::MemoryStore;
use crate::adapters::store::block::{BlockWriter, fold};
use crate::adapters::store::{Commit, Position, Store, StoreError, Stream};
use crate::engine::stored::StateLayout;
use crate::geo::Geo;
use crate::operation::decision::Decision;
use crate::operation::decode::{Rejection, encode_rejection};
use crate::operation::{Money, OperationType, Time};
use crate::pipeline::{self, Answer, CommitLog, Committed, Decided, Pipeline, Record, Stages};
use crate::rules::program::symbol_of_text;

use super::checkpoint::Checkpoint;
use super::recovery::{NOTE_RULES, NOTE_TURNED_AWAY, Recovered, rules_note};
use super::rule_history;
use super::rule_log::RuleLog;
use super::rule_stats::NOTE_RULE_STATS;
use super::search::indexing::Indexer;
use super::switching::Present;
use super::views::{Foreseen, WalletView, state_of};
use super::{
    Answers, BudgetShown, ItemAnswer, Job, Observer, Part, Phase, ServiceSettings, Shown, Submission, Unavailable,
    read, write,
};

mod reload;

use reload::{Reload, Wanted};

/// Between two tries of a commit that failed.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// A batch takes no more requests once its records have so many bytes together.
const BATCH_BYTES_MAX: usize = 64 << 20;
/// A block of the store holds at most so many bytes of items, far below what can be read back.
const BLOCK_BYTES_MAX: usize = 128 << 20;
/// Between two looks at the whole state's size.
const FIGURES_EVERY: Duration = Duration::from_secs(15);
/// Between two looks at what rules have spent of their budgets.
const BUDGETS_EVERY: Duration = Duration::from_secs(1);
/// What the rules matched is noted after so many decisions.
const STATS_EVERY: u64 = 50_000;

/// Where the worker shows what it does.
pub(crate) struct Outlets {
    pub(crate) seq: watch::Sender<u64>,
    pub(crate) trouble: watch::Sender<Option<String>>,
    pub(crate) shown: Arc<Shown>,
    /// What it shows of the wallets.
    pub(crate) part: Arc<Part>,
    pub(crate) observer: Box<dyn Observer>,
}

/// One batch that is durable.
#[derive(Debug)]
pub struct CommittedBatch<'a> {
    pub decisions: &'a [&'a Decision],
    pub rejections: &'a [&'a Rejection],
    pub duplicates: usize,
    pub unknown_fields: u64,
    pub stages: Stages,
    /// From the arrival of each request until its answer was durable.
    pub requests: &'a [Duration],
    pub committed_in: Duration,
}

/// The thread's state.
pub(crate) struct Worker {
    store: Arc<Store>,
    pipeline: Pipeline<MemoryStore, Arc<Geo>>,
    settings: ServiceSettings,
    outlets: Outlets,
    position: Position,
    checkpoint: Checkpoint,
    indexer: Indexer,
    noted_stats_seq: u64,
    /// The newest operation whose key was turned away, as it is noted.
    noted_turned_away: Option<Time>,
    newest: Option<Time>,
    present: Present,
    /// Windows that were filled, and are noted as young until the state with them is written.
    unwritten: Vec<(u64, Time)>,
    /// The change of rules that is under way, and those that wait for it.
    reload: Option<Reload>,
    wanted: VecDeque<Wanted>,
    /// To be woken by.
    jobs: mpsc::WeakSender<Job>,
    layout_id: u64,
    /// The present layout and rules still have to be written.
    notes_rules: bool,
    rule_log: RuleLog,
    figures_at: Option<Instant>,
    /// When it was last shown what rules have spent of their budgets.
    budgets_at: Option<Instant>,
    wallets_measured: usize,
}

/// A request whose records are in the batch.
struct Caller {
    range: Range<usize>,
    since: Instant,
    reply: oneshot::Sender<Result<Answers, Unavailable>>,
}

/// What is collected for one commit.
#[derive(Default)]
struct Batch {
    records: Vec<(Vec<u8>, Time)>,
    /// Of the records together.
    bytes: usize,
    callers: Vec<Caller>,
}

impl Batch {
    fn add(&mut self, submission: Submission) {
        let Submission { records, arrived_at: at, since, only_if: _, reply } = submission;
        let start = self.records.len();
        self.bytes += records.iter().map(Vec::len).sum::<usize>();
        self.records.extend(records.into_iter().map(|bytes| (bytes, at)));
        self.callers.push(Caller { range: start..self.records.len(), since, reply });
    }
}

impl Worker {
    pub(crate) fn new(
        store: Arc<Store>,
        (recovered, indexer, rule_log): (Recovered, Indexer, RuleLog),
        geo: Arc<Geo>,
        settings: ServiceSettings,
        (outlets, jobs): (Outlets, mpsc::WeakSender<Job>),
    ) -> Self {
        let Recovered { engine, shared, position, rule_stats, newest, journal_bytes, young } = recovered;
        let layout = StateLayout::of(engine.plan());
        shared.limit_keys(settings.shared_keys_max);
        Self {
            noted_turned_away: shared.turned_away(),
            store,
            pipeline: Pipeline { engine, geo, store: shared, limits: settings.limits },
            settings,
            outlets,
            position,
            checkpoint: Checkpoint::new(journal_bytes, settings.journal_bytes_min),
            indexer,
            noted_stats_seq: rule_stats.seq,
            newest,
            unwritten: Vec::new(),
            reload: None,
            wanted: VecDeque::new(),
            jobs,
            layout_id: layout.id(),
            present: Present { young, layout },
            notes_rules: true,
            rule_log,
            figures_at: None,
            budgets_at: None,
            wallets_measured: 0,
        }
    }

    /// Works until it is told to stop, or nobody can ask any more.
    pub(crate) fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut left_over = None;
        loop {
            self.show_figures();
            if self.go_on_reloading(&mut queue).is_break() {
                break;
            }
            let Some(job) = left_over.take().or_else(|| self.next_job(&mut queue)) else { break };
            let Job::Submit(submission) = job else {
                if self.serve(job).is_break() {
                    break;
                }
                continue;
            };
            let Some(submission) = self.unless_changed(submission) else { continue };
            let mut batch = Batch::default();
            batch.add(submission);
            while batch.records.len() < self.settings.batch_max && batch.bytes < BATCH_BYTES_MAX {
                match queue.try_recv() {
                    Ok(Job::Submit(submission)) if submission.only_if.is_none() => batch.add(submission),
                    Ok(other) => {
                        left_over = Some(other);
                        break;
                    }
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                }
            }
            if self.decide(batch, &mut queue).is_break() {
                // The batch in hand may not be in the store: nothing is noted on top of it.
                refuse_all(&mut queue, &Unavailable::Stopping);
                return self.leave_reload();
            }
        }
        self.note_stats();
        refuse_all(&mut queue, &Unavailable::Stopping);
        self.leave_reload();
    }

    /// Waits for the next job, unless there is something to do meanwhile.
    fn next_job(&self, queue: &mut mpsc::Receiver<Job>) -> Option<Job> {
        if !self.is_writing() {
            return queue.blocking_recv();
        }
        match queue.try_recv() {
            Ok(job) => Some(job),
            Err(TryRecvError::Empty) => Some(Job::Wake),
            Err(TryRecvError::Disconnected) => None,
        }
    }

    /// Refuses what was sent for another state of its wallet than the present one. An operation that was decided
    /// before is answered all the same.
    fn unless_changed(&mut self, submission: Submission) -> Option<Submission> {
        let Some((id, expected)) = &submission.only_if else { return Some(submission) };
        let wallet = self.pipeline.engine.wallets().get(symbol_of_text(id), id);
        if state_of(self.pipeline.engine.plan(), wallet) == *expected {
            return Some(submission);
        }
        let record = |bytes| Record { bytes, arrived_at: Some(submission.arrived_at) };
        let mut answers = submission.records.iter().map(|bytes| self.pipeline.foresee(record(bytes)));
        if answers.all(|answer| matches!(answer, Answer::Duplicate { .. })) {
            return Some(submission);
        }
        drop(submission.reply.send(Err(Unavailable::Changed)));
        None
    }

    /// Serves what is no operation.
    fn serve(&mut self, job: Job) -> ControlFlow<()> {
        match job {
            Job::Submit(_) | Job::Wake => {}
            Job::Wallet { id, reply } => {
                let wallet = self.pipeline.engine.wallets().get(symbol_of_text(&id), &id);
                let view = wallet.map(|wallet| WalletView::of(self.pipeline.engine.plan(), wallet, self.newest));
                // Whoever asked may have gone.
                drop(reply.send(Ok(view)));
            }
            Job::Foresee { id, record, arrived_at, reply } => {
                let answer = self.pipeline.foresee(Record { bytes: &record, arrived_at: Some(arrived_at) });
                let wallet = self.pipeline.engine.wallets().get(symbol_of_text(&id), &id);
                let wallet = wallet.map(|wallet| WalletView::of(self.pipeline.engine.plan(), wallet, self.newest));
                drop(reply.send(Ok(Foreseen { answer, wallet })));
            }
            Job::Geo { geo, reply } => {
                self.pipeline.geo = geo;
                reply.send(()).unwrap_or(());
            }
            Job::Rules { rules, at, asked, reply } => {
                return self.begin_reload(Wanted { rules, at, asked, reply });
            }
            Job::Stop => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    fn decide(&mut self, batch: Batch, queue: &mut mpsc::Receiver<Job>) -> ControlFlow<()> {
        self.outlets.observer.enters(Phase::Deciding, self.position.batch + 1);
        let records: Vec<_> = batch.records.iter().map(|(bytes, at)| Record { bytes, arrived_at: Some(*at) }).collect();
        let decided = self.pipeline.decide(&records);
        let written = self.write_down(&records, &decided);
        let begun = Instant::now();
        drop(records);
        let mut log = StoreLog { worker: self, callers: batch.callers, queue };
        let committed = match pipeline::commit(&mut log, decided.write_with(written)) {
            Ok(committed) => committed,
            Err(Stopped) => return ControlFlow::Break(()),
        };
        let callers = log.callers;
        let committed_in = begun.elapsed();
        let requests: Vec<Duration> = callers.iter().map(|caller| caller.since.elapsed()).collect();
        self.outlets.observer.enters(Phase::Answering, self.position.batch);
        self.show(&committed);
        self.show_budgets(&committed);
        let written = &committed.with;
        for caller in callers {
            let items = written.items[caller.range].to_vec();
            let decisions = Arc::clone(&written.decisions);
            drop(caller.reply.send(Ok(Answers { decisions, first_seq: written.first_seq, items })));
        }
        self.observe(&committed, &requests, committed_in);
        ControlFlow::Continue(())
    }

    /// Makes the commit of a batch: its operations, decisions, refused records and changes.
    fn write_down(&mut self, records: &[Record<'_>], decided: &Decided) -> Written {
        let first_seq = self.position.seq + 1;
        let (mut operations, mut decisions) = (BlockWriter::default(), BlockWriter::default());
        let (mut rejected, first_rejected) = (BlockWriter::default(), self.position.rejected);
        let (mut items, mut amounts) = (Vec::with_capacity(records.len()), Vec::new());
        for (record, answer) in records.iter().zip(decided.answers()) {
            let arrived_at = record.arrived_at.unwrap_or(Time::ACCEPTED_FROM);
            match answer {
                Answer::Decided(decision) => {
                    self.position.seq += 1;
                    operations.push(|out| {
                        out.extend_from_slice(&arrived_at.nanos().to_le_bytes());
                        out.extend_from_slice(record.bytes);
                    });
                    decisions.push(|out| decision.encode(out));
                    let amount = self.indexer.add(self.position.seq, decision, record.bytes);
                    if !decision.matches.is_empty() {
                        amounts.push((items.len(), amount));
                    }
                    self.newest = self.newest.max(Some(decision.occurred_at));
                    items.push(ItemAnswer::Decided(self.position.seq));
                }
                Answer::Duplicate { seq } => items.push(ItemAnswer::Duplicate(*seq)),
                Answer::Rejected(rejection) => {
                    let offset = self.position.rejected;
                    rejected.push(|out| encode_rejection(out, rejection, offset, 0, record.bytes));
                    self.position.rejected += 1;
                    items.push(ItemAnswer::Rejected(rejection.clone()));
                }
            }
        }
        self.position.batch += 1;
        let at = records.first().and_then(|record| record.arrived_at).unwrap_or(Time::ACCEPTED_FROM);
        let blocks = [
            (Stream::Operations, first_seq, &operations),
            (Stream::Decisions, first_seq, &decisions),
            (Stream::Rejected, first_rejected, &rejected),
        ];
        let parts = blocks.into_iter().flat_map(|(stream, first, block)| {
            let parts = block.finish_in_parts(at, BLOCK_BYTES_MAX);
            parts.into_iter().map(move |(index, part)| (stream, first + index, part))
        });
        let retention = self.settings.retention;
        let mut commit = Commit {
            position: self.position,
            blocks: parts.collect(),
            segments: self.indexer.take_due().into_iter().collect(),
            journal: Some(fold(&decided.journal(self.layout_id), at)),
            expire: vec![
                (Stream::Operations, at.minus(retention.operations)),
                (Stream::Decisions, at.minus(retention.decisions)),
                (Stream::Rejected, at.minus(retention.rejected)),
            ],
            ..Commit::default()
        };
        self.add_notes(&mut commit);
        self.checkpoint.add_to(&mut commit, &self.pipeline.engine, &self.pipeline.store, self.layout_id);
        Written { commit, first_seq, decisions: Arc::new(decisions), items, amounts }
    }

    fn add_notes(&mut self, commit: &mut Commit) {
        if self.notes_rules {
            commit.layouts.push((self.layout_id, self.present.layout.encode()));
            let mut young = [&self.present.young[..], &self.unwritten].concat();
            young.sort_unstable();
            commit.notes.push((NOTE_RULES.to_owned(), rules_note(self.pipeline.engine.plan(), &young)));
            let rules = &self.pipeline.engine.plan().rules;
            commit.notes.extend(rule_history::notes(rules));
            commit.notes.extend(self.rule_log.note(&rules.hash));
            self.notes_rules = false;
        }
        let budgets = self.pipeline.engine.take_budget_notes().into_iter();
        commit.notes.extend(budgets.map(|(name, note)| (name, note.unwrap_or_default())));
        let turned_away = self.pipeline.store.turned_away();
        if turned_away != self.noted_turned_away {
            let note = turned_away.map(|at| at.nanos().to_le_bytes().to_vec()).unwrap_or_default();
            commit.notes.push((NOTE_TURNED_AWAY.to_owned(), note));
            self.noted_turned_away = turned_away;
        }
        if self.position.seq >= self.noted_stats_seq + STATS_EVERY {
            self.add_stats(commit);
        }
    }

    fn add_stats(&mut self, commit: &mut Commit) {
        let stats = read(&self.outlets.part.rule_stats);
        commit.notes.push((NOTE_RULE_STATS.to_owned(), stats.note()));
        self.noted_stats_seq = stats.seq;
    }

    /// Notes what the rules matched, so that the next start need not count.
    fn note_stats(&mut self) {
        let mut commit = Commit { position: self.position, ..Commit::default() };
        self.add_stats(&mut commit);
        // It is counted again at the next start if this fails.
        drop(self.store.commit(&commit));
    }

    /// Tries a commit until it succeeds. Everybody who asks meanwhile hears why nothing is decided.
    fn commit_again(&mut self, commit: &Commit, first: StoreError, queue: &mut mpsc::Receiver<Job>) -> ControlFlow<()> {
        let mut error = first;
        loop {
            self.outlets.observer.failed(&error);
            let unavailable = unavailable(&error);
            self.outlets.trouble.send_replace(Some(unavailable.to_string()));
            if wait_and_refuse(queue, &unavailable).is_break() {
                return ControlFlow::Break(());
            }
            // What became of the last try is only known once the file was opened again.
            let settled = match self.store.settle(commit) {
                Ok(true) => Ok(()),
                Ok(false) => self.store.commit(commit),
                Err(error) => Err(error),
            };
            match settled {
                Ok(()) => break,
                Err(again) => error = again,
            }
        }
        self.outlets.trouble.send_replace(None);
        ControlFlow::Continue(())
    }

    /// Shows what rules have spent of their budgets, once a second, and whenever a rule exceeded its budget or acts again.
    fn show_budgets(&mut self, committed: &Committed<Written>) {
        let engine = &self.pipeline.engine;
        let turns = |decision: &Decision| decision.kind == OperationType::RuleRearmed || decision.tells_operators();
        let is_due = || self.budgets_at.is_none_or(|at| at.elapsed() >= BUDGETS_EVERY);
        let is_wanted = || is_due() || committed.answers.iter().filter_map(decision_of).any(turns);
        if engine.plan().has_budgets() && is_wanted() {
            *write(&self.outlets.part.budgets) = BudgetShown::of(engine, 0).collect();
            self.budgets_at = Some(Instant::now());
        }
    }

    /// Lets readers see a batch that is durable.
    fn show(&mut self, committed: &Committed<Written>) {
        let written = &committed.with;
        {
            let mut book = write(&self.outlets.part.book);
            for decision in committed.answers.iter().filter_map(decision_of) {
                let id = &*decision.wallet_id;
                book.update(decision, self.pipeline.engine.wallets().get(symbol_of_text(id), id));
            }
            book.update_addresses(&committed.shared, |party| self.pipeline.store.blocks_of(party));
        }
        if !committed.answers.is_empty() {
            let mut stats = write(&self.outlets.part.rule_stats);
            let mut amounts = written.amounts.iter().peekable();
            for (position, (answer, item)) in committed.answers.iter().zip(&written.items).enumerate() {
                let amount = amounts.next_if(|(of, _)| *of == position).and_then(|(_, amount)| *amount);
                if let (Answer::Decided(decision), ItemAnswer::Decided(seq)) = (answer, item) {
                    stats.add(*seq, decision, || amount);
                }
            }
            drop(stats);
            write(&self.outlets.part.figures).newest = self.newest;
        }
        if written.commit.position.seq >= written.first_seq {
            self.outlets.seq.send_replace(written.commit.position.seq);
        }
    }

    fn observe(&mut self, committed: &Committed<Written>, requests: &[Duration], committed_in: Duration) {
        let (mut decisions, mut rejections, mut duplicates) = (Vec::new(), Vec::new(), 0);
        for answer in &committed.answers {
            match answer {
                Answer::Decided(decision) => decisions.push(&**decision),
                Answer::Rejected(rejection) => rejections.push(rejection),
                Answer::Duplicate { .. } => duplicates += 1,
            }
        }
        self.outlets.observer.committed(&CommittedBatch {
            decisions: &decisions,
            rejections: &rejections,
            duplicates,
            unknown_fields: committed.unknown_fields,
            stages: committed.stages,
            requests,
            committed_in,
        });
    }

    /// The number of wallets is always shown as it is. The rest takes a walk over the state: from time to
    /// time, and when there is much more of it than the last time.
    fn show_figures(&mut self) {
        let wallets = self.pipeline.engine.wallets().len();
        let mut figures = *read(&self.outlets.part.figures);
        figures.wallets = wallets;
        (figures.shared_keys, figures.shared_keys_refused) = self.pipeline.store.keys();
        let is_due = self.figures_at.is_none_or(|at| at.elapsed() >= FIGURES_EVERY);
        if is_due || wallets > self.wallets_measured + self.wallets_measured / 4 {
            self.figures_at = Some(Instant::now());
            self.wallets_measured = wallets;
            figures.state_bytes = self.pipeline.engine.wallets().bytes() + self.pipeline.store.bytes();
            figures.shared_windows = self.pipeline.store.window_count();
            figures.newest = self.newest;
        }
        *write(&self.outlets.part.figures) = figures;
    }
}

/// The store as the log of one batch. A commit that fails is tried until it succeeds; the callers hear why
/// they wait no longer.
struct StoreLog<'w> {
    worker: &'w mut Worker,
    /// Whoever still waits for an answer.
    callers: Vec<Caller>,
    queue: &'w mut mpsc::Receiver<Job>,
}

/// The service ends before the batch could be committed.
struct Stopped;

impl CommitLog<Decided<Written>> for StoreLog<'_> {
    type Error = Stopped;

    fn write(&mut self, decided: &Decided<Written>) -> Result<(), Stopped> {
        let (worker, commit) = (&mut *self.worker, &decided.with().commit);
        worker.outlets.observer.enters(Phase::Committing, worker.position.batch);
        let Err(error) = worker.store.commit(commit) else { return Ok(()) };
        // It may be in the store all the same: whoever sends it again gets the first decision.
        let unavailable = unavailable(&error);
        worker.outlets.trouble.send_replace(Some(unavailable.to_string()));
        self.callers.drain(..).for_each(|caller| drop(caller.reply.send(Err(unavailable.clone()))));
        match worker.commit_again(commit, error, self.queue) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Stopped),
        }
    }

    /// What wallets share lies in this process, and moved on when the batch was decided.
    fn publish(&mut self, _: &Committed<Written>) -> Result<(), Stopped> {
        Ok(())
    }
}

/// A batch as it is committed, and what its callers are told.
struct Written {
    commit: Commit,
    first_seq: u64,
    decisions: Arc<BlockWriter>,
    items: Vec<ItemAnswer>,
    /// Of the operations that rules matched: their amounts, by the positions of their answers.
    amounts: Vec<(usize, Option<Money>)>,
}

fn decision_of(answer: &Answer) -> Option<&Decision> {
    match answer {
        Answer::Decided(decision) => Some(decision),
        Answer::Duplicate { .. } | Answer::Rejected(_) => None,
    }
}

pub(super) fn unavailable(error: &StoreError) -> Unavailable {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    Unavailable::Store(text)
}

/// Refuses what comes in while nothing can be decided.
fn wait_and_refuse(queue: &mut mpsc::Receiver<Job>, unavailable: &Unavailable) -> ControlFlow<()> {
    let until = Instant::now() + RETRY_AFTER;
    while Instant::now() < until {
        match queue.try_recv() {
            Ok(Job::Stop) | Err(TryRecvError::Disconnected) => return ControlFlow::Break(()),
            Ok(job) => job.refuse(unavailable),
            Err(TryRecvError::Empty) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
    ControlFlow::Continue(())
}

fn refuse_all(queue: &mut mpsc::Receiver<Job>, unavailable: &Unavailable) {
    queue.close();
    while let Ok(job) = queue.try_recv() {
        job.refuse(unavailable);
    }
}
