//! What is wrong with a rule file, where, and what would be right.
//!
//! A diagnostic is plain data: it names a file and a byte range of it. Rendering for people and for
//! machines is in [`render`]; nothing here prints.

mod explanation;
pub mod look_alike;
mod meaning;
pub mod render;

use std::ops::Range;

use crate::operation::country::nearest_country;
use crate::operation::words;

words! {
    /// Every kind of finding. The names are stable: editors and CI filter by them.
    Code {
        AlwaysFalse = "always-false",
        AlwaysTrue = "always-true",
        AggregateField = "aggregate-field",
        AggregateNested = "aggregate-nested",
        AggregateWindow = "aggregate-window",
        AttributeType = "attribute-type",
        BadBudget = "bad-budget",
        BadCharacter = "bad-character",
        BadDate = "bad-date",
        BadDuration = "bad-duration",
        BadKey = "bad-key",
        BadNumber = "bad-number",
        BadOperator = "bad-operator",
        BadPeriod = "bad-period",
        BadTime = "bad-time",
        BadUnit = "bad-unit",
        BadValue = "bad-value",
        BlockDirection = "block-direction",
        BudgetUnused = "budget-unused",
        CalendarUnit = "calendar-unit",
        CannotLift = "cannot-lift",
        ChallengeNotDebit = "challenge-not-debit",
        CsvHeader = "csv-header",
        CsvRow = "csv-row",
        DuplicateAction = "duplicate-action",
        DuplicateFile = "duplicate-file",
        DuplicateKey = "duplicate-key",
        DuplicateRule = "duplicate-rule",
        EmptyCondition = "empty-condition",
        EmptyTest = "empty-test",
        FieldNotHere = "field-not-here",
        FileName = "file-name",
        FileTooLarge = "file-too-large",
        HoldNotDebit = "hold-not-debit",
        HotKey = "hot-key",
        IdleEquivalent = "idle-equivalent",
        InvalidYaml = "invalid-yaml",
        ListType = "list-type",
        LookAlike = "look-alike",
        MatchesOnly = "matches-only",
        MergeMarks = "merge-marks",
        MissingFile = "missing-file",
        MissingKey = "missing-key",
        MixedAndOr = "mixed-and-or",
        MoneyWithoutUnit = "money-without-unit",
        MrpEnds = "mrp-ends",
        MrpOrder = "mrp-order",
        NeverLifted = "never-lifted",
        NoRules = "no-rules",
        NoWayOut = "no-way-out",
        NotACondition = "not-a-condition",
        NotUtf8 = "not-utf8",
        NumberTooLarge = "number-too-large",
        OnMissingUnset = "on-missing-unset",
        Placeholder = "placeholder",
        QuotedCondition = "quoted-condition",
        RuleCycle = "rule-cycle",
        RuleId = "rule-id",
        SharedWindow = "shared-window",
        StateCost = "state-cost",
        SubsumedRule = "subsumed-rule",
        TooDeep = "too-deep",
        TooManyAggregates = "too-many-aggregates",
        TooManyRules = "too-many-rules",
        TypeMismatch = "type-mismatch",
        UnclosedText = "unclosed-text",
        UnexpectedToken = "unexpected-token",
        UnknownField = "unknown-field",
        UnknownFunction = "unknown-function",
        UnknownKey = "unknown-key",
        UnknownList = "unknown-list",
        UnknownRule = "unknown-rule",
        UnknownType = "unknown-type",
        UnknownWord = "unknown-word",
        Untested = "untested",
        UntestedRule = "untested-rule",
        UnusedList = "unused-list",
        UnusedTable = "unused-table",
        VoidAction = "void-action",
        WindowTooLong = "window-too-long",
        WrongShape = "wrong-shape",
        YamlFeature = "yaml-feature",
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The rule set does not load.
    Error,
    /// The rule set loads, and something in it is most likely not meant.
    Warning,
    /// The rule set loads, and nothing is wrong: something is good to know.
    Note,
}

impl Severity {
    /// Returns the word shown to people and machines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One finding in one place of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// A name of [`Code`].
    pub code: &'static str,
    pub severity: Severity,
    /// What is wrong: one lowercase fragment.
    pub message: String,
    /// The file as it was given.
    pub path: String,
    /// Byte range in the file.
    pub span: Range<usize>,
    /// What stands at the span.
    pub label: String,
    /// What would be right.
    pub help: Vec<String>,
}

/// Collects the findings of one file.
#[derive(Debug)]
pub(crate) struct Findings {
    path: String,
    pub(crate) list: Vec<Diagnostic>,
}

impl Findings {
    pub(crate) fn new(path: &str) -> Self {
        Self { path: path.to_owned(), list: Vec::new() }
    }

    /// Adds an error; the returned handle adds label and help.
    pub(crate) fn error(&mut self, code: Code, span: &Range<usize>, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Severity::Error, code, span, message.into())
    }

    /// Adds a warning; the returned handle adds label and help.
    pub(crate) fn warning(&mut self, code: Code, span: &Range<usize>, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Severity::Warning, code, span, message.into())
    }

    /// Adds a note; the returned handle adds label and help.
    pub(crate) fn note(&mut self, code: Code, span: &Range<usize>, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Severity::Note, code, span, message.into())
    }

    /// Tells whether any error was found.
    pub(crate) fn has_errors(&self) -> bool {
        self.error_count() > 0
    }

    /// Counts the errors, warnings left out.
    pub(crate) fn error_count(&self) -> usize {
        self.list.iter().filter(|finding| finding.severity == Severity::Error).count()
    }

    /// Says that a text is no country's code, and which was probably meant.
    pub(crate) fn not_a_country(&mut self, code: &str, span: &Range<usize>) {
        let is_of_form = code.len() == 2 && code.bytes().all(|letter| letter.is_ascii_uppercase());
        let finding = self.error(Code::BadValue, span, format!("`{code}` is not a country code"));
        finding.label(if is_of_form { "no country has this code" } else { "not two capital letters" });
        match nearest_country(code) {
            Some(meant) => finding.help(format!("write `{meant}`")),
            None => finding.help("countries are ISO 3166 codes: `KZ`, `RU`, `CN`"),
        };
    }

    fn add(&mut self, severity: Severity, code: Code, span: &Range<usize>, message: String) -> &mut Diagnostic {
        self.list.push(Diagnostic {
            code: code.name(),
            severity,
            message,
            path: self.path.clone(),
            span: span.clone(),
            label: String::new(),
            help: Vec::new(),
        });
        let last = self.list.len() - 1;
        &mut self.list[last]
    }
}

impl Diagnostic {
    pub(crate) fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = label.into();
        self
    }

    pub(crate) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        let help = help.into();
        if !self.help.contains(&help) {
            self.help.push(help);
        }
        self
    }

    /// Adds "did you mean" with the nearest of the known names, or the whole choice when none is near.
    pub(crate) fn nearest<'a>(&mut self, found: &str, known: impl IntoIterator<Item = &'a str>) -> &mut Self {
        let mut known: Vec<&str> = known.into_iter().collect();
        let mut seen = std::collections::BTreeSet::new();
        known.retain(|name| seen.insert(*name));
        let latin = look_alike::latin(found);
        if let Some(explanation) = look_alike::explain(found).filter(|_| latin.is_some()) {
            self.help(explanation);
        }
        let found = latin.as_deref().unwrap_or(found);
        if known.contains(&found) {
            return self.help(format!("write `{found}`"));
        }
        let help = match nearest_name(found, &known) {
            Some(name) => format!("did you mean `{name}`?"),
            None if known.is_empty() => return self,
            None if known.len() <= 24 => format!("known here: {}", known.join(", ")),
            None => return self,
        };
        self.help(help)
    }
}

/// Finds the known name that is meant by a word: the same in Latin letters, or the nearest.
pub(crate) fn meant_name<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    let latin = look_alike::latin(found);
    let found = latin.as_deref().unwrap_or(found);
    known.iter().find(|name| **name == found).copied().or_else(|| nearest_name(found, known))
}

/// Finds the known name that is most likely meant, if any is near enough.
pub(crate) fn nearest_name<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    let lower = found.to_lowercase();
    known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), *name))
        .filter(|(distance, name)| *distance <= (name.chars().count().max(found.chars().count()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
