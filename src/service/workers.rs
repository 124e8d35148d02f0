//! The threads of a service, as those see them who ask something of them: one, or of a fleet several, each with its
//! part of the wallets.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};

use super::{Job, Unavailable};

/// Between two looks whether workers have ended.
const STOP_PACE: Duration = Duration::from_millis(10);

/// Tells what a worker waits for, if it does so for long: it cannot tell it itself.
pub(super) type Waiting = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// One worker.
pub(super) struct Handle {
    pub(super) jobs: mpsc::Sender<Job>,
    pub(super) trouble: watch::Receiver<Option<String>>,
    pub(super) thread: Mutex<Option<JoinHandle<()>>>,
    /// Where operations come from Kafka: what the worker waits for.
    pub(super) waiting: Option<Waiting>,
}

impl Handle {
    fn send(&self, job: Job) -> Result<(), Unavailable> {
        self.jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Unavailable::Busy,
            mpsc::error::TrySendError::Closed(_) => Unavailable::Stopping,
        })
    }

    fn trouble(&self) -> Option<String> {
        if self.jobs.is_closed() {
            return Some(Unavailable::Stopping.to_string());
        }
        let waits = || self.waiting.as_ref().and_then(|waiting| waiting());
        self.trouble.borrow().clone().or_else(waits)
    }

    fn has_ended(&self) -> bool {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

/// How much an answer of one worker says for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Says {
    /// It has nothing of what was asked for; another one may.
    NotHere,
    /// It cannot tell.
    Unknown,
    /// It is the answer.
    Found,
}

/// All workers of a service, at least one.
pub(super) struct Workers(Vec<Handle>);

impl Workers {
    pub(super) const fn new(handles: Vec<Handle>) -> Self {
        Self(handles)
    }

    /// Gives a job to the first worker: where there is only one.
    ///
    /// # Errors
    /// It stops, or too much waits for it.
    pub(super) fn send(&self, job: Job) -> Result<(), Unavailable> {
        self.0.first().map_or(Err(Unavailable::Stopping), |worker| worker.send(job))
    }

    /// Asks every worker, and returns the answer that says most, as soon as nothing can say more.
    pub(super) async fn ask<T>(
        &self,
        job: impl Fn(oneshot::Sender<Result<T, Unavailable>>) -> Job,
        says: impl Fn(&Result<T, Unavailable>) -> Says,
    ) -> Result<T, Unavailable> {
        let (mut open, mut best) = (Vec::new(), Err(Unavailable::Stopping));
        let mut most = None;
        let mut take = |answer: Result<T, Unavailable>| {
            let said = says(&answer);
            if most.is_none_or(|most| said > most) {
                (best, most) = (answer, Some(said));
            }
            most == Some(Says::Found)
        };
        for worker in &self.0 {
            let (reply, answer) = oneshot::channel();
            match worker.send(job(reply)) {
                Ok(()) => open.push(answer),
                Err(unavailable) => drop(take(Err(unavailable))),
            }
        }
        poll_fn(|context| {
            let mut is_found = false;
            open.retain_mut(|answer| match Pin::new(answer).poll(context) {
                Poll::Pending => true,
                Poll::Ready(answer) => {
                    is_found |= take(answer.unwrap_or(Err(Unavailable::Stopping)));
                    false
                }
            });
            if is_found || open.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        best
    }

    /// Tells every worker something, and waits until each has taken it in. One that has ended need not know. Must not
    /// run on an asynchronous thread.
    ///
    /// # Errors
    /// Too much waits for one of them, and nobody was told; or all have ended.
    pub(super) fn tell<T>(&self, job: impl Fn(oneshot::Sender<T>) -> Job) -> Result<Vec<T>, Unavailable> {
        let mut rooms = Vec::new();
        for worker in &self.0 {
            match worker.jobs.try_reserve() {
                Ok(room) => rooms.push(room),
                Err(mpsc::error::TrySendError::Full(())) => return Err(Unavailable::Busy),
                Err(mpsc::error::TrySendError::Closed(())) => {}
            }
        }
        let told: Vec<_> = rooms
            .into_iter()
            .map(|room| {
                let (reply, answer) = oneshot::channel();
                room.send(job(reply));
                answer
            })
            .collect();
        let answers: Vec<T> = told.into_iter().filter_map(|answer| answer.blocking_recv().ok()).collect();
        if answers.is_empty() { Err(Unavailable::Stopping) } else { Ok(answers) }
    }

    /// Counts the jobs that wait for a worker.
    pub(super) fn queued(&self) -> usize {
        self.0.iter().map(|worker| worker.jobs.max_capacity() - worker.jobs.capacity()).sum()
    }

    /// Tells why not all wallets can be decided now, if so.
    pub(super) fn trouble(&self) -> Option<String> {
        if let [only] = &*self.0 {
            return only.trouble();
        }
        let is_over = self.0.iter().all(|worker| worker.jobs.is_closed());
        if is_over {
            return Some(Unavailable::Stopping.to_string());
        }
        let mut troubles: Vec<(String, Vec<usize>)> = Vec::new();
        for (number, worker) in (1..).zip(&self.0) {
            let Some(text) = worker.trouble() else { continue };
            match troubles.iter_mut().find(|(known, _)| *known == text) {
                Some((_, numbers)) => numbers.push(number),
                None => troubles.push((text, vec![number])),
            }
        }
        // What all have in common is the process's.
        let told = troubles.into_iter().map(|(text, numbers)| {
            let list: Vec<String> = numbers.iter().map(usize::to_string).collect();
            match list.as_slice() {
                all if all.len() == self.0.len() => text,
                [one] => format!("worker {one}: {text}"),
                some => format!("workers {}: {text}", some.join(", ")),
            }
        });
        let told: Vec<String> = told.collect();
        (!told.is_empty()).then(|| told.join("; "))
    }

    /// Waits until all workers have ended.
    pub(super) async fn ended(&self) {
        for worker in &self.0 {
            worker.jobs.closed().await;
        }
    }

    /// Ends all workers and waits for their threads, at most so long; tells whether they have ended.
    pub(super) fn stop_within(&self, patience: Duration) -> bool {
        let begun = Instant::now();
        let mut untold: Vec<&Handle> = self.0.iter().collect();
        while !self.0.iter().all(Handle::has_ended) {
            if begun.elapsed() >= patience {
                return false;
            }
            untold.retain(|worker| !worker.jobs.is_closed() && worker.jobs.try_send(Job::Stop).is_err());
            std::thread::sleep(STOP_PACE);
        }
        true
    }

    /// Ends all workers, however long that takes.
    pub(super) fn stop(&self) {
        for worker in &self.0 {
            // A full queue empties; a closed one has stopped already.
            drop(worker.jobs.blocking_send(Job::Stop));
        }
        for worker in &self.0 {
            let thread = worker.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
            thread.into_iter().for_each(|thread| drop(thread.join()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::views::WalletView;

    type Queues = Vec<(mpsc::Receiver<Job>, watch::Sender<Option<String>>)>;

    fn workers(count: usize) -> (Workers, Queues) {
        let made = (0..count).map(|_| {
            let (jobs, queue) = mpsc::channel(8);
            let (tell, trouble) = watch::channel(None);
            (Handle { jobs, trouble, thread: Mutex::new(None), waiting: None }, (queue, tell))
        });
        let (handles, queues) = made.unzip();
        (Workers::new(handles), queues)
    }

    fn ask(workers: &Workers) -> impl Future<Output = Result<Option<WalletView>, Unavailable>> {
        workers.ask(
            |reply| Job::Wallet { id: "w".to_owned(), reply },
            |answer| match answer {
                Ok(Some(_)) => Says::Found,
                Ok(None) => Says::NotHere,
                Err(_) => Says::Unknown,
            },
        )
    }

    fn answer(queue: &mut mpsc::Receiver<Job>, answer: Result<Option<WalletView>, Unavailable>) {
        let Ok(Job::Wallet { reply, .. }) = queue.try_recv() else { panic!("a question for a wallet") };
        drop(reply.send(answer));
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
    }

    #[test]
    fn an_answer_that_says_more_is_waited_for() {
        for (first, second, expected) in [
            (Ok(None), Ok(None), Ok(())),
            (Ok(None), Err(Unavailable::Busy), Err(Unavailable::Busy)),
            (Err(Unavailable::Busy), Ok(None), Err(Unavailable::Busy)),
        ] {
            let (workers, mut queues) = workers(2);
            let found = runtime().block_on(async {
                let asked = ask(&workers);
                let answers = async {
                    answer(&mut queues[0].0, first);
                    tokio::task::yield_now().await;
                    answer(&mut queues[1].0, second);
                };
                tokio::join!(asked, answers).0
            });
            assert_eq!(found.map(|view| assert!(view.is_none())), expected);
        }
        let (workers, queues) = workers(2);
        drop(queues);
        assert!(matches!(runtime().block_on(ask(&workers)), Err(Unavailable::Stopping)));
    }

    #[test]
    fn one_worker_that_has_ended_keeps_nothing_from_the_others() {
        let (workers, mut queues) = workers(2);
        drop(queues.remove(1));
        let (mut queue, _trouble) = queues.remove(0);
        std::thread::scope(|scope| {
            let told = scope.spawn(|| workers.tell(|reply| Job::Geo { geo: std::sync::Arc::default(), reply }));
            let Some(Job::Geo { reply, .. }) = queue.blocking_recv() else { panic!("databases") };
            reply.send(()).expect("somebody waits");
            assert_eq!(told.join().expect("no panic"), Ok(vec![()]));
        });
        assert_eq!(workers.trouble().as_deref(), Some("worker 2: the service is stopping"));
        drop(queue);
        assert_eq!(workers.trouble().as_deref(), Some("the service is stopping"));
        assert!(workers.tell(|reply| Job::Geo { geo: std::sync::Arc::default(), reply }).is_err());
    }

    #[test]
    fn trouble_tells_whose_it_is() {
        let (workers, queues) = workers(3);
        assert_eq!(workers.trouble(), None);
        for (given, expected) in [
            ([Some("a"), None, None], "worker 1: a"),
            ([Some("a"), Some("b"), Some("a")], "workers 1, 3: a; worker 2: b"),
            ([Some("a"), Some("a"), Some("a")], "a"),
        ] {
            for (text, (_, tell)) in given.iter().zip(&queues) {
                tell.send_replace(text.map(str::to_owned));
            }
            assert_eq!(workers.trouble().as_deref(), Some(expected));
        }
    }
}
