//! The turns of a simulation: processes of threads of which one runs at a time, on a clock of their own.
//!
//! A thread runs until it sleeps or waits; then the one whose time is next goes on, and the clock stands at that time.
//! Everything random comes from one seed, so the same seed gives the same run. A process can be killed at any such
//! point, and halted for a while.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use kuzet::adapters::runtime::{Scheduler, Work, simulate};

use crate::random::Random;

/// More turns than any run needs: then it goes in a circle.
const TURNS_MAX: u64 = 2_000_000;

/// Ends a thread of a process that was killed.
struct Killed;

struct Turn {
    process: usize,
    thread: Option<Thread>,
    /// When it goes on, in nanoseconds.
    at: u64,
    /// Chooses among those of the same time.
    order: u64,
    /// It goes on sooner when its process tells something.
    waits: bool,
    is_over: bool,
}

struct Life {
    name: String,
    mistake: Option<&'static str>,
    /// Since when it is dead.
    killed_at: Option<u64>,
    /// It ended by itself.
    is_over: bool,
    /// Until when it is halted, and since when.
    halted: Option<(u64, u64)>,
    /// After so many turns it is killed.
    kill_in: Option<u64>,
    /// What happens when this step is reached for the n-th time.
    plan: Option<(&'static str, u64, Deed)>,
}

struct State {
    now: u64,
    random: Random,
    turns: u64,
    threads: Vec<Turn>,
    processes: Vec<Life>,
    running: usize,
    /// Faults of threads that were not killed.
    faults: Vec<String>,
    /// Changes with everything that happens: equal for equal runs.
    trace: u64,
}

/// All processes of one run.
pub(crate) struct World {
    state: Mutex<State>,
    epoch: Instant,
}

/// What happens to a process at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Kill,
    /// All of it is halted for so long.
    Halt(Duration),
    /// The thread that reached the step takes so long over it.
    Stall(Duration),
}

/// One process.
#[derive(Clone)]
pub(crate) struct Process {
    world: Arc<World>,
    number: usize,
}

/// How it stands with a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    Running,
    /// It is halted since then.
    Halted(u64),
    /// It was killed then.
    Dead(u64),
}

std::thread_local! {
    /// Which thread of its world this is.
    static NUMBER: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).expect("no time of centuries")
}

impl State {
    /// When a thread goes on: a halted process later, a dead one at once.
    fn due(&self, turn: &Turn) -> u64 {
        let life = &self.processes[turn.process];
        match (life.killed_at, life.halted) {
            (Some(_), _) => self.now,
            (None, Some((_, until))) => turn.at.max(until),
            (None, None) => turn.at,
        }
    }

    /// Chooses who goes on, and sets the clock.
    fn choose(&mut self) -> usize {
        self.turns += 1;
        assert!(self.turns < TURNS_MAX, "the simulation goes in a circle");
        let open = self.threads.iter().enumerate().filter(|(_, turn)| !turn.is_over);
        let next = open.map(|(number, turn)| (self.due(turn), turn.order, number)).min();
        let (at, _, number) = next.expect("the thread of the test is never over");
        self.now = self.now.max(at);
        let process = self.threads[number].process;
        if self.processes[process].halted.is_some_and(|(_, until)| until <= self.now) {
            self.processes[process].halted = None;
        }
        self.threads[number].waits = false;
        self.running = number;
        self.note(at ^ ((number as u64) << 48));
        number
    }

    fn note(&mut self, what: u64) {
        self.trace = (self.trace ^ what).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(17);
    }

    fn kill(&mut self, process: usize) {
        let now = self.now;
        self.processes[process].killed_at.get_or_insert(now);
    }

    fn halt(&mut self, process: usize, time: Duration) {
        self.processes[process].halted = Some((self.now, self.now + nanos(time)));
    }

    fn is_killed(&self, process: usize) -> bool {
        self.processes[process].killed_at.is_some()
    }
}

impl World {
    /// Makes a world for a seed. The thread that does so is its first, of a process that is never killed.
    pub(crate) fn new(seed: u64) -> (Arc<Self>, Process) {
        let first = Turn { process: 0, thread: Some(thread::current()), at: 0, order: 0, waits: false, is_over: false };
        let state = State {
            now: 0,
            random: Random(seed),
            turns: 0,
            threads: vec![first],
            processes: Vec::new(),
            running: 0,
            faults: Vec::new(),
            trace: 0,
        };
        NUMBER.with(|number| number.set(0));
        let world = Arc::new(Self { state: Mutex::new(state), epoch: Instant::now() });
        let process = world.process("test", None);
        (world, process)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a process, which may make a mistake.
    pub(crate) fn process(self: &Arc<Self>, name: &str, mistake: Option<&'static str>) -> Process {
        let mut state = self.lock();
        state.processes.push(Life {
            name: name.to_owned(),
            mistake,
            killed_at: None,
            is_over: false,
            halted: None,
            kill_in: None,
            plan: None,
        });
        Process { world: Arc::clone(self), number: state.processes.len() - 1 }
    }

    /// Returns the time in nanoseconds.
    pub(crate) fn nanos(&self) -> u64 {
        self.lock().now
    }

    /// Returns a number in `0..end`.
    pub(crate) fn below(&self, end: u64) -> u64 {
        self.lock().random.below(end)
    }

    /// Returns what tells one run from another.
    pub(crate) fn trace(&self) -> u64 {
        self.lock().trace
    }

    /// Returns the faults of threads so far.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.lock().faults.clone()
    }

    /// Kills all processes but the test's own, and waits until their threads are over.
    pub(crate) fn end(&self) {
        let processes = self.lock().processes.len();
        (1..processes).for_each(|process| self.lock().kill(process));
        while self.lock().threads.iter().skip(1).any(|turn| !turn.is_over) {
            self.pass(0, false);
        }
    }

    /// Gives the turn to the next thread until it is this one's again. Ends this thread when its process was killed.
    fn pass(&self, after: u64, waits: bool) {
        // A thread that unwinds has no more turns to wait for.
        if thread::panicking() {
            return;
        }
        let me = NUMBER.with(std::cell::Cell::get);
        let mut state = self.lock();
        let (at, order) = (state.now + after, state.random.next());
        let turn = &mut state.threads[me];
        (turn.at, turn.order, turn.waits) = (at, order, waits);
        let process = turn.process;
        if let Some(left) = state.processes[process].kill_in.as_mut() {
            *left = left.saturating_sub(1);
            if *left == 0 {
                state.kill(process);
            }
        }
        let next = state.choose();
        if next != me {
            let thread = state.threads[next].thread.clone();
            drop(state);
            thread.iter().for_each(Thread::unpark);
            self.await_turn(me);
            state = self.lock();
        }
        if state.is_killed(process) {
            drop(state);
            resume_unwind(Box::new(Killed));
        }
    }

    fn await_turn(&self, me: usize) {
        while self.lock().running != me {
            thread::park();
        }
    }

    /// Ends a thread, and gives the turn to the next.
    fn leave(&self, me: usize, fault: Option<String>) {
        let mut state = self.lock();
        state.threads[me].is_over = true;
        let process = state.threads[me].process;
        let name = state.processes[process].name.clone();
        state.faults.extend(fault.map(|fault| format!("{name}: {fault}")));
        for turn in state.threads.iter_mut().filter(|turn| turn.process == process && turn.waits) {
            turn.at = 0;
        }
        let next = state.choose();
        let thread = state.threads[next].thread.clone();
        drop(state);
        thread.iter().for_each(Thread::unpark);
    }
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a fault".to_owned())
}

impl Process {
    /// Starts the process's first thread.
    pub(crate) fn start(&self, work: impl FnOnce() + Send + 'static) {
        let process: Arc<dyn Scheduler> = Arc::new(self.clone());
        let work = process.enroll("main", Box::new(work));
        thread::Builder::new().spawn(move || simulate(process, work)).expect("a thread");
    }

    pub(crate) fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// Kills the process where its threads stand.
    pub(crate) fn kill(&self) {
        self.world.lock().kill(self.number);
    }

    /// Kills the process after so many turns of its threads.
    pub(crate) fn kill_in(&self, turns: u64) {
        self.world.lock().processes[self.number].kill_in = Some(turns.max(1));
    }

    /// Plans what happens when a step is reached for the n-th time.
    pub(crate) fn plan(&self, step: &'static str, times: u64, deed: Deed) {
        self.world.lock().processes[self.number].plan = Some((step, times, deed));
    }

    /// Halts all threads of the process for so long.
    pub(crate) fn halt(&self, time: Duration) {
        self.world.lock().halt(self.number, time);
    }

    /// Tells that the process ended by itself.
    pub(crate) fn ended(&self) {
        self.world.lock().processes[self.number].is_over = true;
    }

    /// Tells whether the process is over, by itself or killed.
    pub(crate) fn is_over(&self) -> bool {
        let state = self.world.lock();
        state.processes[self.number].is_over || state.is_killed(self.number)
    }

    pub(crate) fn health(&self) -> Health {
        let state = self.world.lock();
        let life = &state.processes[self.number];
        match (life.killed_at, life.halted) {
            (Some(at), _) => Health::Dead(at),
            (None, Some((since, until))) if until > state.now => Health::Halted(since),
            (None, _) => Health::Running,
        }
    }
}

impl Scheduler for Process {
    fn now(&self) -> Instant {
        self.world.epoch + Duration::from_nanos(self.world.nanos())
    }

    fn sleep(&self, time: Duration) {
        self.world.pass(nanos(time), false);
    }

    fn wait(&self, until: Instant) {
        self.world.pass(nanos(until.saturating_duration_since(self.now())), true);
    }

    fn tell(&self) {
        let mut state = self.world.lock();
        let now = state.now;
        for turn in state.threads.iter_mut().filter(|turn| turn.process == self.number && turn.waits) {
            turn.at = now;
        }
    }

    fn enroll(&self, _: &str, work: Work) -> Work {
        let mut state = self.world.lock();
        let (at, order) = (state.now, state.random.next());
        let me = state.threads.len();
        state.threads.push(Turn { process: self.number, thread: None, at, order, waits: false, is_over: false });
        drop(state);
        let world = Arc::clone(&self.world);
        Box::new(move || {
            NUMBER.with(|number| number.set(me));
            world.lock().threads[me].thread = Some(thread::current());
            world.await_turn(me);
            let ended = catch_unwind(AssertUnwindSafe(work));
            let fault = ended.err().filter(|payload| !payload.is::<Killed>()).map(|payload| text_of(&*payload));
            world.leave(me, fault);
        })
    }

    fn reached(&self, step: &str) {
        let mut state = self.world.lock();
        let life = &mut state.processes[self.number];
        if let Some((at, times, _)) = &mut life.plan {
            *times = times.saturating_sub(u64::from(*at == step));
        }
        let Some((_, _, deed)) = life.plan.take_if(|(_, times, _)| *times == 0) else { return };
        let mut stall = Duration::ZERO;
        match deed {
            Deed::Kill => state.kill(self.number),
            Deed::Halt(time) => state.halt(self.number, time),
            Deed::Stall(time) => stall = time,
        }
        drop(state);
        self.world.pass(nanos(stall), false);
    }

    fn mistake(&self) -> Option<&str> {
        self.world.lock().processes[self.number].mistake
    }
}
