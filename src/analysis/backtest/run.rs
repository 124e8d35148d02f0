//! Lets several rule sets decide the same records, each on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::history::{History, Records};
use super::{Judge, Judged};

/// How many records are decided at a time.
const BATCH_RECORDS_MAX: usize = 512;
/// How many batches may wait for a thread: memory stays flat, and none waits for another at each batch.
const BATCHES_MAX: usize = 4;

type Answers = anyhow::Result<Vec<Judged>>;

/// How far a backtest has come, and whether it is to go on.
#[derive(Debug, Default)]
pub struct Progress {
    /// Records that were counted.
    pub records: AtomicU64,
    /// Set to end it early.
    pub stops: AtomicBool,
}

/// Reads every record once and gives the answers to it, one of each judge in their order, to `take`; ends early where
/// it is told to.
///
/// # Errors
/// The input ends early, or a judge cannot go on.
pub(super) fn all(
    history: &mut dyn History,
    judges: Vec<Judge>,
    progress: &Progress,
    take: &mut dyn FnMut(&[&Judged]),
) -> anyhow::Result<()> {
    thread::scope(|scope| {
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for judge in judges {
            let (input, batches) = sync_channel(BATCHES_MAX);
            let (answers, output) = sync_channel(BATCHES_MAX);
            thread::Builder::new()
                .name("backtest".into())
                .spawn_scoped(scope, move || decide(judge, &batches, &answers))?;
            inputs.push(input);
            outputs.push(output);
        }
        read_and_count(history, inputs, &outputs, (progress, take))
    })
}

/// Takes what the sets say to one operation.
type Take<'t> = &'t mut dyn FnMut(&[&Judged]);

/// Reads ahead of what is counted, so that every thread has work.
fn read_and_count(
    history: &mut dyn History,
    mut inputs: Vec<SyncSender<Arc<Records>>>,
    outputs: &[Receiver<Answers>],
    (progress, take): (&Progress, Take<'_>),
) -> anyhow::Result<()> {
    let mut ahead = 0;
    let mut end = Ok(());
    loop {
        while ahead < BATCHES_MAX && !inputs.is_empty() {
            let mut batch = Records::default();
            let filled = history.fill(&mut batch, BATCH_RECORDS_MAX);
            let is_last = filled.is_err() || batch.is_empty() || progress.stops.load(Ordering::Relaxed);
            if !batch.is_empty() {
                let batch = Arc::new(batch);
                // A thread that has stopped says why in its answers.
                inputs.iter().for_each(|input| drop(input.send(Arc::clone(&batch))));
                ahead += 1;
            }
            if is_last {
                inputs.clear();
                end = filled;
            }
        }
        if ahead == 0 {
            return end;
        }
        let records = count(outputs, take)?;
        progress.records.fetch_add(records, Ordering::Relaxed);
        ahead -= 1;
    }
}

fn decide(mut judge: Judge, batches: &Receiver<Arc<Records>>, answers: &SyncSender<Answers>) {
    for batch in batches {
        let judged = judge.judge(&batch.iter().collect::<Vec<_>>());
        let is_last = judged.is_err();
        if answers.send(judged).is_err() || is_last {
            return;
        }
    }
}

/// Counts the answers to one batch; returns how many records it had.
fn count(outputs: &[Receiver<Answers>], take: &mut dyn FnMut(&[&Judged])) -> anyhow::Result<u64> {
    let mut batch = Vec::with_capacity(outputs.len());
    for output in outputs {
        batch.push(output.recv().map_err(|_| anyhow::anyhow!("a deciding thread has stopped"))??);
    }
    let records = batch.iter().map(Vec::len).min().unwrap_or(0);
    for record in 0..records {
        let answers: Vec<&Judged> = batch.iter().map(|answers| &answers[record]).collect();
        take(&answers);
    }
    Ok(u64::try_from(records).unwrap_or(u64::MAX))
}
