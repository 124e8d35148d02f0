//! A wait in vain says what it waited for, and where processes stood.

use std::process::{Child, Command};
use std::time::Duration;

use crate::{standing, wait};

/// A process that does nothing; killed when it is dropped.
struct Idle(Child);

impl Idle {
    fn start() -> Self {
        Self(Command::new("sleep").arg("4321").spawn().expect("sleep starts"))
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.0.kill().expect("a process to kill");
        self.0.wait().expect("it ends");
    }
}

#[test]
fn a_wait_in_vain_names_its_event_and_shows_the_processes() {
    let idle = Idle::start();
    let stand = || standing::of_these(&[idle.0.id()]);
    let found = wait::attempt_with(Duration::from_millis(50), "the idle process speaks", || None::<()>, stand);
    let text = found.expect_err("nothing comes").to_string();
    assert!(text.starts_with("waited ") && text.contains("in vain: the idle process speaks\n"), "{text}");
    assert!(text.contains("state S: sleep 4321") && text.contains("sleep: S, waits in "), "{text}");
    assert!(text.contains("--- stacks, whole in "), "{text}");
}

#[test]
fn a_process_that_is_halted_is_told_from_one_that_waits() {
    let idle = Idle::start();
    let stopped = Command::new("kill").args(["-STOP", &idle.0.id().to_string()]).status().expect("kill runs");
    assert!(stopped.success());
    let stand = || standing::of_these(&[idle.0.id()]);
    wait::within(Duration::from_secs(20), "the process is shown as halted", || {
        stand().contains("sleep: T, waits in ").then_some(())
    });
}

#[test]
fn what_is_there_is_found_without_a_word() {
    let mut looks = 0;
    let found = wait::until("the third look", || {
        looks += 1;
        (looks == 3).then_some(looks)
    });
    assert_eq!(found, 3);
}

#[test]
#[should_panic(expected = "longer than any may be")]
fn no_wait_is_longer_than_two_minutes() {
    wait::within(Duration::from_secs(121), "nothing", || Some(()));
}
