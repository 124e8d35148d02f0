//! Charts as SVG, drawn without a script.

use std::fmt::Write as _;

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 220.0;
/// Room for the numbers on the left and the words below.
const LEFT: f64 = 56.0;
const BELOW: f64 = 24.0;
const ABOVE: f64 = 10.0;
/// Most words below a chart.
const WORDS_MAX: usize = 8;

fn start(out: &mut String, top: &str) {
    // Writing to a text cannot fail.
    write!(out, "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">").unwrap_or(());
    let base = HEIGHT - BELOW;
    write!(out, "<line class=\"axis\" x1=\"{LEFT}\" y1=\"{base}\" x2=\"{WIDTH}\" y2=\"{base}\"/>").unwrap_or(());
    write!(out, "<line class=\"axis\" x1=\"{LEFT}\" y1=\"{ABOVE}\" x2=\"{WIDTH}\" y2=\"{ABOVE}\"/>").unwrap_or(());
    let right = LEFT - 6.0;
    write!(out, "<text x=\"{right}\" y=\"{}\" text-anchor=\"end\">{top}</text>", ABOVE + 4.0).unwrap_or(());
    write!(out, "<text x=\"{right}\" y=\"{}\" text-anchor=\"end\">0</text>", base + 4.0).unwrap_or(());
}

/// Words below, so few that they do not overlap.
fn words(out: &mut String, names: &[&str], middle: impl Fn(usize) -> f64) {
    let step = names.len().div_ceil(WORDS_MAX).max(1);
    for (at, name) in names.iter().enumerate().step_by(step) {
        let (x, y) = (middle(at).clamp(LEFT + 20.0, WIDTH - 40.0), HEIGHT - 6.0);
        write!(out, "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{}</text>", super::escaped(name))
            .unwrap_or(());
    }
}

/// Draws counts as bars, those of `against` beside them. Days without any have none.
pub(super) fn bars(counts: &[(String, u64)], against: Option<&[(String, u64)]>) -> String {
    let mut names: Vec<&str> =
        counts.iter().chain(against.unwrap_or_default()).map(|(name, _)| name.as_str()).collect();
    if against.is_some() {
        names.sort_unstable();
        names.dedup();
    }
    let top = counts.iter().chain(against.unwrap_or_default()).map(|(_, count)| *count).max().unwrap_or(0);
    let mut out = String::new();
    start(&mut out, &super::number(top));
    let room = (WIDTH - LEFT) / count_of(names.len().max(1));
    let sides = if against.is_some() { 2.0 } else { 1.0 };
    let width = (room * 0.8 / sides).min(60.0);
    let middle = |at: usize| LEFT + room * (count_of(at) + 0.5);
    for (side, (class, list)) in [("one", Some(counts)), ("two", against)].into_iter().enumerate() {
        for (name, count) in list.unwrap_or_default() {
            let Some(at) = names.iter().position(|known| known == name) else { continue };
            let height = (HEIGHT - BELOW - ABOVE) * share(*count, top);
            let x = middle(at) - width * sides / 2.0 + width * count_of(side);
            let y = HEIGHT - BELOW - height;
            let label = format!("{}: {}", super::escaped(name), super::number(*count));
            write!(out, "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\"").unwrap_or(());
            write!(out, " height=\"{height:.1}\"><title>{label}</title></rect>").unwrap_or(());
        }
    }
    words(&mut out, &names, middle);
    out.push_str("</svg>");
    out
}

/// Draws two shares along a range, from 0 to 100 %.
pub(super) fn lines(names: &[&str], one: &[Option<f64>], two: &[Option<f64>]) -> String {
    let mut out = String::new();
    start(&mut out, "100 %");
    let room = (WIDTH - LEFT) / count_of(names.len().max(1));
    let middle = |at: usize| LEFT + room * (count_of(at) + 0.5);
    for (class, values) in [("one", one), ("two", two)] {
        let point = |(at, value): (usize, &Option<f64>)| {
            value.map(|value| format!("{:.1},{:.1}", middle(at), HEIGHT - BELOW - (HEIGHT - BELOW - ABOVE) * value))
        };
        let points: Vec<String> = values.iter().enumerate().filter_map(point).collect();
        write!(out, "<polyline class=\"line-{class}\" points=\"{}\"/>", points.join(" ")).unwrap_or(());
        for point in points {
            let (x, y) = point.split_once(',').unwrap_or_default();
            write!(out, "<circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"3\"/>").unwrap_or(());
        }
    }
    words(&mut out, names, middle);
    out.push_str("</svg>");
    out
}

#[expect(clippy::cast_precision_loss, reason = "places in a drawing")]
fn count_of(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "places in a drawing")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
