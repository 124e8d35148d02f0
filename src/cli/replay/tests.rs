use std::fs;
use std::io::Cursor;

use super::*;
use crate::adapters::files::WriteError;
use crate::operation::decode::RejectionCode;

/// Allows what is an object and refuses the rest.
#[derive(Default)]
struct Fake {
    batches: usize,
}

impl Replayer for Fake {
    fn decide_batch(
        &mut self,
        records: &[Record<'_>],
        decisions: &mut Vec<u8>,
        rejected: &mut Vec<u8>,
        summary: &mut Summary,
    ) -> anyhow::Result<()> {
        self.batches += 1;
        for record in records {
            if record.bytes.starts_with(b"{") {
                decisions.extend_from_slice(format!("{}\n", record.index).as_bytes());
                summary.observe(Observed::Decision {
                    verdict: "allow",
                    matches: &[],
                    commands: &[],
                    is_late: false,
                    degraded: &[],
                    unknown_fields: 0,
                });
            } else {
                rejected.extend_from_slice(format!("{}\n", record.index).as_bytes());
                summary.observe(Observed::Rejected(RejectionCode::MalformedJson));
            }
        }
        Ok(())
    }
}

fn replay_bytes(input: &[u8], outputs: &mut Outputs) -> (Summary, anyhow::Result<()>) {
    let stream = Box::new(Cursor::new(input.to_vec()));
    let mut reader = RecordReader::from_stream("ops.jsonl", stream, None, false).unwrap();
    let mut summary = Summary::default();
    let result = replay(&mut reader, &mut Fake::default(), outputs, &mut summary, &ProgressBar::hidden());
    (summary, result)
}

fn files(folder: &Path) -> Outputs {
    Outputs {
        decisions: DecisionWriter::open(Some(&folder.join("out")), "decisions").unwrap(),
        rejected: Some(DecisionWriter::open(Some(&folder.join("rejected")), "rejected records").unwrap()),
    }
}

#[test]
fn every_record_goes_one_way_in_input_order() {
    let folder = tempfile::tempdir().unwrap();
    let input = "{}\nnonsense\n\n{}\n".repeat(6_000);
    let (summary, result) = replay_bytes(input.as_bytes(), &mut files(folder.path()));
    result.unwrap();
    assert_eq!((summary.operations(), summary.decisions(), summary.rejected()), (18_000, 12_000, 6_000));
    let indexes = |name: &str| -> Vec<u64> {
        let text = fs::read_to_string(folder.path().join(name)).unwrap();
        text.lines().map(|line| line.parse().unwrap()).collect()
    };
    let (decided, refused) = (indexes("out"), indexes("rejected"));
    assert!(decided.is_sorted() && refused.is_sorted());
    assert_eq!(refused, (0..18_000).filter(|index| index % 3 == 1).collect::<Vec<_>>());
    assert_eq!(decided.len() + refused.len(), 18_000);
}

#[test]
fn what_came_before_a_cut_is_decided_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let lines: String =
        (0..20_000_u64).map(|n| format!("{{\"n\":{}}}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let whole = zstd::stream::encode_all(lines.as_bytes(), 1).unwrap();
    let (summary, result) = replay_bytes(&whole[..whole.len() / 2], &mut files(folder.path()));
    let error = result.unwrap_err();
    assert!(error.to_string().ends_with("unexpected end of compressed data"), "{error}");
    assert_eq!(exit::code_of(&error), exit::NO);
    let written = fs::read_to_string(folder.path().join("out")).unwrap().lines().count();
    assert!(written > 0);
    assert_eq!(summary.decisions(), written as u64);
}

#[test]
fn a_full_disk_ends_the_run_with_its_name() {
    let full = DecisionWriter::open(Some(Path::new("/dev/full")), "decisions").unwrap();
    let (_, result) = replay_bytes(b"{}\n", &mut Outputs { decisions: full, rejected: None });
    let error = result.unwrap_err();
    assert!(
        format!("{error:#}").starts_with("failed to write /dev/full after 0 decisions: No space left"),
        "{error:#}"
    );
}

#[test]
fn a_closed_pipe_ends_the_run_without_a_fault() {
    let (reader, pipe) = io::pipe().unwrap();
    drop(reader);
    let decisions = DecisionWriter::from_stream(String::from("pipe"), "decisions", Box::new(pipe));
    let (_, result) = replay_bytes(b"{}\n", &mut Outputs { decisions, rejected: None });
    let error = result.unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(WriteError::Closed { .. })));
    assert_eq!(
        (exit::OneLine(&error).to_string().as_str(), exit::code_of(&error)),
        ("output closed by its reader", exit::NO)
    );
}

#[test]
fn outputs_never_overwrite_the_input_or_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let [input, out] = ["ops", "out"].map(|name| folder.path().join(name));
    fs::write(&input, "{}\n").unwrap();
    let arguments = |out: &Path, rejected: &Path| ReplayArguments {
        operations: input.clone(),
        out: Some(out.to_path_buf()),
        rejected: Some(rejected.to_path_buf()),
        rules: None,
        geoip: None,
    };
    for (decisions, rejected) in [(&input, &out), (&out, &input), (&out, &out)] {
        let error = open_outputs(&arguments(decisions, rejected)).err().unwrap();
        assert!(error.to_string().contains("is the same file as"), "{error}");
        assert_eq!(exit::code_of(&error), exit::USAGE);
    }
    assert_eq!(fs::read_to_string(&input).unwrap(), "{}\n");
    assert!(open_outputs(&arguments(Path::new("/dev/null"), Path::new("/dev/null"))).is_ok());
}
