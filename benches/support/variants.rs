//! The shipped rules, changed: more of them, or with longer windows.

use kuzet::rules::SourceFile;

fn is_rule(source: &SourceFile) -> bool {
    source.bytes.starts_with(b"rule: ") || source.bytes.windows(7).any(|bytes| bytes == b"\nrule: ")
}

fn text(source: &SourceFile) -> &str {
    std::str::from_utf8(&source.bytes).expect("rules are UTF-8")
}

/// Adds copies of the rules with other ids and thresholds, in shadow, until there are so many.
pub(crate) fn padded(sources: &[SourceFile], count: usize) -> Vec<SourceFile> {
    let mut all = sources.to_vec();
    let rules: Vec<&SourceFile> = sources.iter().filter(|source| is_rule(source)).collect();
    for number in 0..count.saturating_sub(rules.len()) {
        let (source, turn) = (rules[number % rules.len()], 1 + number / rules.len());
        let name = source.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".yaml");
        let copy = format!("{name}-copy{turn}");
        let changed = text(source)
            .replace(&format!("rule: {name}"), &format!("rule: {copy}"))
            .replace("mode: enforce", "mode: shadow")
            .replace("000 KZT", &format!("{:03} KZT", turn))
            .replace(" MRP", &format!(".{:02} MRP", turn));
        all.push(SourceFile::new(source.path.replace(name, &copy), changed.into_bytes()));
    }
    all
}

/// Makes every window of an hour one of thirty days.
pub(crate) fn with_long_windows(sources: &[SourceFile]) -> Vec<SourceFile> {
    let lengthen = |source: &SourceFile| match is_rule(source) {
        true => {
            let bytes = text(source).replace("within 1h", "within 30d").into_bytes();
            SourceFile::new(source.path.clone(), bytes)
        }
        false => source.clone(),
    };
    sources.iter().map(lengthen).collect()
}
