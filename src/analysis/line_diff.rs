//! What changes between two texts, line by line.

/// Lines around a change that are shown.
const CONTEXT: usize = 2;
/// Texts of which more pairs of lines would have to be compared are shown as one change from the first line that differs
/// to the last.
const PAIRS_MAX: usize = 4_000_000;

/// One line: what became of it, and where it stands in the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Kept(usize, usize),
    Gone(usize),
    New(usize),
}

/// Writes the difference of two texts as `diff -u` does; empty where they are equal. `path` names both.
#[must_use]
pub(super) fn unified(path: &str, before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let steps = steps(&old, &new);
    let changes: Vec<usize> =
        steps.iter().enumerate().filter(|(_, step)| !matches!(step, Step::Kept(..))).map(|(at, _)| at).collect();
    let Some(first) = changes.first() else { return String::new() };
    let mut out = format!("--- {path}\n+++ {path}\n");
    let mut begin = *first;
    for (at, change) in changes.iter().enumerate() {
        let next = changes.get(at + 1).copied();
        if next.is_none_or(|next| next - change > 2 * CONTEXT) {
            let hunk = begin.saturating_sub(CONTEXT)..(change + 1 + CONTEXT).min(steps.len());
            push_hunk(&mut out, &steps, hunk, (&old, &new));
            begin = next.unwrap_or(begin);
        }
    }
    out
}

fn push_hunk(out: &mut String, steps: &[Step], range: std::ops::Range<usize>, (old, new): (&[&str], &[&str])) {
    let before = &steps[..range.start];
    let hunk = &steps[range];
    let of_old = |steps: &[Step]| steps.iter().filter(|step| !matches!(step, Step::New(_))).count();
    let of_new = |steps: &[Step]| steps.iter().filter(|step| !matches!(step, Step::Gone(_))).count();
    out.push_str(&format!("@@ -{},{} +{},{} @@\n", of_old(before) + 1, of_old(hunk), of_new(before) + 1, of_new(hunk)));
    for step in hunk {
        let (sign, line) = match step {
            Step::Kept(at, _) => (' ', old[*at]),
            Step::Gone(at) => ('-', old[*at]),
            Step::New(at) => ('+', new[*at]),
        };
        out.push(sign);
        out.push_str(line);
        out.push('\n');
    }
}

/// Finds what lines both texts have. What they begin and end with alike is not looked at further.
fn steps(old: &[&str], new: &[&str]) -> Vec<Step> {
    let same = |(one, other): &(&&str, &&str)| one == other;
    let head = old.iter().zip(new).take_while(same).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(same).count();
    let (old_end, new_end) = (old.len() - tail, new.len() - tail);
    let (old_middle, new_middle) = (&old[head..old_end], &new[head..new_end]);
    let between = if old_middle.len().saturating_mul(new_middle.len()) > PAIRS_MAX {
        let gone = (0..old_middle.len()).map(Step::Gone);
        gone.chain((0..new_middle.len()).map(Step::New)).collect()
    } else {
        steps_between(old_middle, new_middle)
    };
    let moved = |step: Step| match step {
        Step::Kept(at, to) => Step::Kept(at + head, to + head),
        Step::Gone(at) => Step::Gone(at + head),
        Step::New(to) => Step::New(to + head),
    };
    let begins = (0..head).map(|at| Step::Kept(at, at));
    let ends = (0..tail).map(|at| Step::Kept(old_end + at, new_end + at));
    begins.chain(between.into_iter().map(moved)).chain(ends).collect()
}

/// Finds the longest common run of lines and what stands between.
fn steps_between(old: &[&str], new: &[&str]) -> Vec<Step> {
    let width = new.len() + 1;
    let mut longest = vec![0_u32; (old.len() + 1) * width];
    for (at, line) in old.iter().enumerate().rev() {
        for (to, other) in new.iter().enumerate().rev() {
            longest[at * width + to] = if line == other {
                longest[(at + 1) * width + to + 1] + 1
            } else {
                longest[(at + 1) * width + to].max(longest[at * width + to + 1])
            };
        }
    }
    let (mut at, mut to, mut steps) = (0, 0, Vec::new());
    while at < old.len() || to < new.len() {
        if at < old.len() && to < new.len() && old[at] == new[to] {
            steps.push(Step::Kept(at, to));
            (at, to) = (at + 1, to + 1);
        } else if at < old.len() && (to == new.len() || longest[(at + 1) * width + to] >= longest[at * width + to + 1])
        {
            steps.push(Step::Gone(at));
            at += 1;
        } else {
            steps.push(Step::New(to));
            to += 1;
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_shown_with_the_lines_around_them() {
        let before = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n";
        let after = "a\nb\nC\nd\ne\nf\ng\nh\ni\nj\nk\n";
        let shown = unified("x.yaml", before, after);
        let expected = "--- x.yaml\n+++ x.yaml\n@@ -1,5 +1,5 @@\n a\n b\n-c\n+C\n d\n e\n@@ -9,2 +9,3 @@\n i\n j\n+k\n";
        assert_eq!(shown, expected);
        assert_eq!(unified("x.yaml", before, before), "");
    }

    #[test]
    fn texts_that_are_too_long_to_be_compared_are_shown_as_one_change() {
        let lines = |word: &str| (0..3_000).map(|number| format!("{word}{number}\n")).collect::<String>();
        let (before, after) = (format!("a\n{}z\n", lines("x")), format!("a\n{}z\n", lines("y")));
        let shown = unified("x", &before, &after);
        assert!(shown.starts_with("--- x\n+++ x\n@@ -1,3002 +1,3002 @@\n a\n-x0\n-x1\n"), "{}", &shown[..80]);
        assert!(shown.ends_with("+y2999\n z\n"));
    }

    #[test]
    fn a_text_may_be_empty() {
        assert_eq!(unified("x", "", "a\n"), "--- x\n+++ x\n@@ -1,0 +1,1 @@\n+a\n");
        assert_eq!(unified("x", "a\n", ""), "--- x\n+++ x\n@@ -1,1 +1,0 @@\n-a\n");
    }
}
