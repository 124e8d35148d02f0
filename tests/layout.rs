//! Laying out rule files: whatever they look like, they come out in one form, say the same and keep their comments.

use std::fs;
use std::path::Path;

use kuzet::rules::layout::{NotLaidOut, lay_out};
use kuzet::rules::{FileKind, SourceFile, compile, render_text};

use crate::random::Random;

fn read(folder: &Path, files: &mut Vec<SourceFile>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            read(&path, files);
        } else {
            files.push(SourceFile::new(path.to_string_lossy(), fs::read(&path).expect("a readable file")));
        }
    }
}

fn files_of(folder: &str) -> Vec<SourceFile> {
    let mut files = Vec::new();
    read(Path::new(folder), &mut files);
    files
}

fn hash(files: &[SourceFile]) -> String {
    compile(files).unwrap_or_else(|errors| panic!("{}", render_text(&errors, files))).rule_set.hash
}

fn laid_out(text: &str) -> String {
    lay_out("x.yaml", text).unwrap_or_else(|error| panic!("{error:?}\n{text}"))
}

#[test]
fn shipped_rules_are_laid_out() {
    for file in files_of("rules").iter().filter(|file| FileKind::of(file) == FileKind::Rule) {
        let text = std::str::from_utf8(&file.bytes).expect("UTF-8");
        assert_eq!(laid_out(text), text, "{}: `kuzet rules fmt` writes it", file.path);
    }
}

/// The text of a rule file by its keys, each with the lines below it.
fn parts(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for line in text.lines() {
        match parts.last_mut() {
            Some(part) if line.starts_with(' ') || line.is_empty() => *part += &format!("{line}\n"),
            _ => parts.push(format!("{line}\n")),
        }
    }
    parts
}

/// One of many looks of a part of a file.
fn disturbed(part: &str, random: &mut Random, has_names: bool) -> String {
    let further = " ".repeat(random.below(4_usize));
    let mut out = String::new();
    for (at, line) in part.lines().enumerate() {
        let line = if part.starts_with("when:") && at > 0 { spaced(line, random, has_names) } else { line.to_owned() };
        let line = if line.contains('{') && part.starts_with("then:") {
            line.replace('{', "{  ").replace('}', " }").replace('[', "[ ").replace(", ", " ,  ")
        } else {
            line
        };
        if line.starts_with(' ') {
            out.push_str(&further);
        }
        out.push_str(&line);
        out.push('\n');
    }
    if let Some(value) = out.strip_prefix("on: ").or_else(|| out.strip_prefix("mode: ")) {
        let key = part.split(':').next().unwrap_or_default();
        out = format!("{key}:{}{}  \n", " ".repeat(1 + random.below(3_usize)), value.trim_end());
    }
    if random.below(3_u64) == 0 { format!("{out}\n") } else { out }
}

/// A line of a condition with other blanks; texts of shipped conditions have none inside.
fn spaced(line: &str, random: &mut Random, has_names: bool) -> String {
    let indentation = line.len() - line.trim_start().len();
    let mut out = line[..indentation].to_owned();
    for c in line[indentation..].chars() {
        match c {
            ' ' => out.push_str(&" ".repeat(1 + random.below(3_usize))),
            '(' | ')' | ',' if !has_names && random.below(2_u64) == 0 => {
                out.push(' ');
                out.push(c);
                out.push(' ');
            }
            _ => out.push(c),
        }
    }
    if random.below(2_u64) == 0 { out.replace(" > ", ">").replace(" = ", "=") } else { out }
}

#[test]
fn every_look_of_a_shipped_rule_becomes_the_one_layout_and_means_the_same() {
    let mut random = Random(17);
    let files = files_of("rules");
    let before = hash(&files);
    for _ in 0..8 {
        let (mut disturbed_files, mut back) = (files.clone(), files.clone());
        for (at, file) in files.iter().enumerate().filter(|(_, file)| FileKind::of(file) == FileKind::Rule) {
            let text = std::str::from_utf8(&file.bytes).expect("UTF-8");
            // A message repeats what its condition says, blanks included.
            let has_names = text.contains("{sum(") || text.contains("{count(");
            let mut parts: Vec<String> =
                parts(text).iter().map(|part| disturbed(part, &mut random, has_names)).collect();
            for end in (1..parts.len()).rev() {
                parts.swap(end, random.below(end + 1));
            }
            let other = parts.concat();
            let out = laid_out(&other);
            assert_eq!(out, text, "{}:\n{other}", file.path);
            disturbed_files[at].bytes = other.into_bytes();
            back[at].bytes = out.into_bytes();
        }
        assert_eq!(hash(&disturbed_files), before);
        assert_eq!(hash(&back), before);
    }
}

/// Comments stand above their key, behind it, among items, in conditions, and at the end.
#[test]
fn comments_stay_with_what_they_speak_of() {
    let mut random = Random(18);
    for file in files_of("rules").iter().filter(|file| FileKind::of(file) == FileKind::Rule) {
        let text = std::str::from_utf8(&file.bytes).expect("UTF-8");
        let mut parts = parts(text);
        for (at, part) in parts.iter_mut().enumerate() {
            let above = format!("# above {at}\n");
            let behind = match part.split_once('\n') {
                Some((first, rest)) if !first.starts_with("title") => format!("{first}   # behind {at}\n{rest}"),
                _ => part.clone(),
            };
            let inside = if part.starts_with("then:") || part.starts_with("when:") {
                format!("{behind}  # inside {at}\n")
            } else {
                behind
            };
            *part = format!("{above}{inside}");
        }
        for end in (1..parts.len()).rev() {
            parts.swap(end, random.below(end + 1));
        }
        let commented = parts.concat() + "# the end\n";
        let out = laid_out(&commented);
        assert_eq!(laid_out(&out), out, "{}: a second time changes nothing", file.path);
        for (at, part) in super::layout::parts(text).iter().enumerate() {
            let key = part.split(':').next().unwrap_or_default();
            assert!(out.contains(&format!("# above {at}\n{key}:")), "{key}\n{out}");
        }
        let count = |text: &str| text.matches('#').count();
        assert_eq!(count(&out), count(&commented), "{out}");
        assert!(out.ends_with("# the end\n"), "{out}");
        let without: String =
            out.lines().filter(|line| !line.trim_start().starts_with('#')).map(|line| format!("{line}\n")).collect();
        let without: Vec<&str> =
            without.lines().map(|line| line.split("  # behind").next().unwrap_or_default()).collect();
        assert_eq!(without, text.lines().collect::<Vec<_>>(), "{}", file.path);
    }
}

const ODD: &str = "\
# Of the file:
# two lines

# of the rule
rule:   odd   # the id
then: # what happens
# left of the dash
- hold:   {lifted_by: [agreed,
     facts_established]}   # why
- report:
    # whom
    when:   source =issuer
    to:  issuer

  # at the end
notes: >-
    folded  text

    more
     deeper
mode: shadow


title: { en: \"x\", kk: \"а\",   ru: 'б' }
when: amount>5 KZT and(  amount<  7 KZT
    or amount > 1_000KZT )  # plain
on: [ transfer,payment ]
clauses:
    - \"7.15\" # c1
    # c2
owner: \"risk\"
message:
   en: \"{ amount }\"
   kk: |-
      текст
   ru: \"длинный
     текст\"
# the end
";

const LAID_OUT: &str = "\
# Of the file:
# two lines

# of the rule
rule: odd  # the id
clauses:
  - \"7.15\"  # c1
  # c2
title: {kk: \"а\", ru: 'б', en: \"x\"}
owner: \"risk\"
mode: shadow
on: [transfer, payment]
when: |  # plain
  amount > 5 KZT and (amount < 7 KZT
    or amount > 1_000 KZT)
then:  # what happens
  # left of the dash
  - hold: {lifted_by: [agreed, facts_established]}  # why
  - report:
      to: issuer
      # whom
      when: source = issuer

    # at the end
message:
  kk: |-
    текст
  ru: \"длинный
    текст\"
  en: \"{ amount }\"
notes: >-
  folded  text

  more
   deeper
# the end
";

#[test]
fn a_file_of_every_oddity_is_laid_out() {
    assert_eq!(laid_out(ODD), LAID_OUT);
    assert_eq!(laid_out(LAID_OUT), LAID_OUT);
    let windows = ODD.replace('\n', "\r\n");
    assert_eq!(laid_out(&windows), LAID_OUT, "lines that end as on Windows");
}

/// A message names an aggregate as the condition spells it; the condition keeps its blanks then.
#[test]
fn names_in_messages_are_still_found() {
    let text = "rule: r\nwhen: |\n  sum(debit.amount by wallet,device_id  today)>5 KZT\nmessage: {en: \
                \"{sum(debit.amount by wallet,device_id today)}\"}\n";
    let out = laid_out(text);
    assert!(out.contains("  sum(debit.amount by wallet,device_id today)>5 KZT\n"), "{out}");
}

#[test]
fn what_cannot_be_read_is_left_and_told() {
    let Err(NotLaidOut::Unreadable(findings)) = lay_out("x.yaml", "rule: [\n") else { panic!("read") };
    assert!(findings.iter().all(|finding| finding.path == "x.yaml") && !findings.is_empty());
    // A condition that cannot be read is left alone, and all around it is laid out.
    let out = laid_out("when: |\n    amount  >>  \u{201c}5\u{201d}\nrule:   r\n");
    assert_eq!(out, "rule: r\nwhen: |\n  amount  >>  \u{201c}5\u{201d}\n");
}

/// Whatever is wrong with a file, laying it out does not fail, and twice is once.
#[test]
fn wrong_files_are_laid_out_or_left() {
    let mut count = 0;
    for file in files_of("tests/bad_rules").iter().filter(|file| file.path.ends_with(".yaml")) {
        let Ok(text) = std::str::from_utf8(&file.bytes) else { continue };
        if let Ok(out) = lay_out(&file.path, text) {
            count += 1;
            assert_eq!(lay_out(&file.path, &out).as_deref(), Ok(&*out), "{}", file.path);
        }
        // Nor where it is cut off anywhere.
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)).step_by(7) {
            drop(lay_out(&file.path, &text[..end]));
        }
    }
    assert!(count > 100, "{count}");
}
