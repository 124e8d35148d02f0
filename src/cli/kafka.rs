//! `kuzet kafka`: the topics of a fleet.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::config::environment;
use super::exit::{self, UsageError};
use crate::adapters::kafka::librdkafka::Librdkafka;
use crate::adapters::kafka::topics::{self, TopicRetention};
use crate::app::fleet::kafka_settings;
use crate::config::{self, Config};
use crate::service::kafka::verify::verify;

/// Make and check the topics of a fleet
#[derive(Debug, Args)]
#[command(
    about = "Make and check the topics of a fleet",
    after_help = "Examples:
  kuzet kafka topics --create --partitions 12 --replication 3
  kuzet kafka topics --check
  kuzet kafka verify --config kuzet.toml"
)]
pub struct KafkaArguments {
    #[command(subcommand)]
    command: KafkaCommand,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum KafkaCommand {
    /// Make the topics that are missing, or say what is wrong with those that are there
    #[command(
        after_help = "The number of partitions is the number of shards and cannot be changed later. Topics keep records for as
long as store.retention_operations, store.retention_decisions and store.retention_rejected say, the state for
ever. Exit code 1 when a topic cannot be used as it is.

Example:
  kuzet kafka topics --create --partitions 12 --replication 3"
    )]
    Topics {
        #[command(flatten)]
        place: Place,
        /// Make the topics that are missing, then check all
        #[arg(long, required_unless_present = "check")]
        create: bool,
        /// Only check
        #[arg(long, conflicts_with = "create")]
        check: bool,
        /// How many partitions new topics have
        #[arg(long, value_name = "N", default_value_t = 12)]
        partitions: i32,
        /// How many copies of each record there are [default: one on each broker, at most 3]
        #[arg(long, value_name = "R")]
        replication: Option<i32>,
    },
    /// Hold offsets, decisions and state of every shard against each other; changes nothing
    #[command(after_help = "Exit code 1 when a shard would be halted.

Example:
  kuzet kafka verify --config kuzet.toml")]
    Verify(Place),
}

/// Where Kafka is.
#[derive(Debug, Args)]
struct Place {
    /// The configuration [default: ./kuzet.toml, which may be missing]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// The configuration cannot be used, Kafka does not answer, or the output cannot be written.
pub fn run(arguments: &KafkaArguments, out: &mut impl Write) -> anyhow::Result<i32> {
    let settings = |place: &Place| -> anyhow::Result<_> {
        let Config { mut kafka, store, .. } = config::load(place.config.as_deref(), environment())?;
        // Nothing here is done in an instance's name.
        kafka.instance.get_or_insert_with(|| String::from("kafka-command"));
        let retention = TopicRetention {
            operations: store.retention_operations,
            decisions: store.retention_decisions,
            rejected: store.retention_rejected,
        };
        Ok((kafka_settings(&kafka)?, retention))
    };
    match &arguments.command {
        KafkaCommand::Topics { place, create, check: _, partitions, replication } => {
            let (settings, retention) = settings(place)?;
            let mut made = Vec::new();
            if *create {
                if *partitions < 1 || replication.is_some_and(|copies| copies < 1) {
                    anyhow::bail!(UsageError("--partitions and --replication are at least 1".to_owned()));
                }
                made = topics::create(&settings, &retention, *partitions, *replication)?;
                for made in &made {
                    let what = if made.is_new { "made" } else { "was there already" };
                    writeln!(out, "{}: {what}", made.topic)?;
                }
            }
            let complaints = topics::check_made(&settings, &retention, &made)?;
            complaints.iter().try_for_each(|complaint| writeln!(out, "{complaint}"))?;
            if complaints.is_empty() {
                writeln!(out, "the topics can be used")?;
            }
            Ok(if complaints.is_empty() { exit::OK } else { exit::NO })
        }
        KafkaCommand::Verify(place) => {
            let mut is_sound = true;
            for report in verify(&Librdkafka, &settings(place)?.0)? {
                let decisions = report.last_seq.unwrap_or(0);
                let (shard, next, lag) = (report.shard, report.next_offset, report.end - report.next_offset);
                write!(out, "shard {shard}: next offset {next}, lag {lag}, decisions {decisions}")?;
                match &report.problem {
                    None => writeln!(out, ", sound")?,
                    Some(problem) => {
                        is_sound = false;
                        writeln!(out, "; {problem}")?;
                    }
                }
            }
            Ok(if is_sound { exit::OK } else { exit::NO })
        }
    }
}
