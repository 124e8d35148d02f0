//! Shows why an operation was decided so, to one of three readers, as a text in one language or as JSON in one or all.
//!
//! The analyst sees everything. Support sees what rules found, in sentences, and not how they are written. The client
//! is told the verdict, the rules' messages and what lifts the restrictions: no rule, no list, no report, no threshold.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::examination::{Examination, PartFinding, Restraint, RuleFinding};
use super::sentence::{Teller, moment, shown};
use super::{localized, vocabulary};
use crate::operation::Time;
use crate::operation::decision::Verdict;
use crate::operation::localized::{Language, Localized, Value};

/// For whom a decision is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    Analyst,
    Support,
    Client,
}

/// Explains a decision in one language.
#[must_use]
pub fn text(examination: &Examination, language: Language, reader: Reader) -> String {
    let teller = Report { examination, language, reader };
    let mut out = String::new();
    // Writing to a String cannot fail.
    match reader {
        Reader::Client => teller.for_client(&mut out),
        Reader::Analyst | Reader::Support => teller.for_staff(&mut out),
    }
    .unwrap_or_default();
    out
}

/// In which languages JSON tells its sentences: all of them as `{"kk":…,"ru":…,"en":…}`, or one as a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Languages {
    All,
    One(Language),
}

impl Languages {
    pub(super) fn tell(self, say: &dyn Fn(Language) -> String) -> Json {
        match self {
            Self::One(language) => say(language).into(),
            Self::All => {
                let [kk, ru, en] = Language::ALL.map(say);
                localized(&Localized { kk, ru, en })
            }
        }
    }
}

/// Explains a decision as JSON.
#[must_use]
pub fn json(examination: &Examination, reader: Reader, languages: Languages) -> Json {
    let decision = &examination.decision;
    let rule = |found| finding_json(examination, found, (reader, languages));
    let rules: Vec<Json> = examination.findings.iter().map(rule).collect();
    let in_force: Vec<Json> = examination.in_force.iter().map(|found| restraint_json(found, reader)).collect();
    let mut told = json!({
        "op_id": &*decision.op_id,
        "type": decision.kind.name(),
        "occurred_at": decision.occurred_at.to_string(),
        "verdict": decision.verdict.name(),
        "in_force": in_force,
    });
    if reader == Reader::Client {
        let of = |language| Report { examination, language, reader }.client_sentences().join("\n");
        told["text"] = languages.tell(&of);
        return told;
    }
    told["decision_id"] = decision.decision_id.to_string().into();
    told["wallet_id"] = (&*decision.wallet_id).into();
    told["ruleset"] = (&*decision.ruleset).into();
    told["degraded"] = decision.degraded.iter().map(|name| &**name).collect();
    told["rules"] = rules.into();
    told
}

fn finding_json(examination: &Examination, found: &RuleFinding, (reader, languages): (Reader, Languages)) -> Json {
    let rule = examination.rule_of(found);
    let parts = found.parts.iter().map(|part| {
        let teller = |language| Teller::new(&rule.source, &found.values, language);
        let time = |time: Option<Time>| time.map(|time| time.to_string());
        let mut told = json!({
            "holds": part.holds,
            "sentence": languages.tell(&|language| {
                teller(language).sentence(&part.part.expression, &part.sides)
            }),
            "since": time(part.since),
            "leaves": time(part.leaves),
            "clears": time(part.clears),
        });
        let counted = part.counted.iter().map(|(text, counted)| {
            // Only analysts see how rules are written.
            let text = (reader == Reader::Analyst).then_some(text);
            json!({"aggregate": text, "total": counted.total, "seqs": counted.seqs})
        });
        told["counted"] = counted.collect();
        if part.holds == Some(true) {
            let opposite = |language| teller(language).opposite(&part.part.expression, &part.sides);
            told["opposite"] = languages.tell(&opposite);
        }
        if reader == Reader::Analyst {
            told["text"] = (&*part.part.text).into();
            told["needed"] = (&*part.part.needed).into();
        }
        told
    });
    json!({
        "rule": &*rule.id,
        "clauses": rule.clauses.iter().map(|clause| &**clause).collect::<Vec<_>>(),
        "title": languages.tell(&|language| rule.title.of(language).to_owned()),
        "mode": if found.enforced { "enforce" } else { "shadow" },
        "fired": found.fired,
        "conditions": parts.collect::<Vec<_>>(),
    })
}

fn restraint_json(found: &Restraint, reader: Reader) -> Json {
    let mut told = json!({
        "kind": found.kind,
        "from": found.from.to_string(),
        "until": found.until.map(|until| until.to_string()),
        "lifted_by": found.lifted_by.iter().map(|lifter| lifter.name()).collect::<Vec<_>>(),
    });
    if !found.direction.is_empty() {
        told["direction"] = found.direction.into();
    }
    if reader != Reader::Client {
        told["rule"] = (&*found.rule).into();
        told["clauses"] = found.clauses.iter().map(|clause| &**clause).collect();
    }
    told
}

/// A text that is being written.
#[derive(Clone, Copy)]
struct Report<'r> {
    examination: &'r Examination,
    language: Language,
    reader: Reader,
}

impl Report<'_> {
    fn choose(self, texts: [&'static str; 3]) -> &'static str {
        self.language.choose(texts)
    }

    fn for_staff(self, out: &mut String) -> std::fmt::Result {
        let decision = &self.examination.decision;
        let amount = self.examination.amount.map(|amount| Value::Money(amount.tiyn().into()));
        let amount = amount.map_or_else(String::new, |amount| format!(", {}", shown(&amount, self.language)));
        let kind = vocabulary::operation_type(decision.kind.name(), self.language);
        let [operation, wallet, verdict] = [
            self.choose(["Операция", "Операция", "Operation"]),
            self.choose(["әмиян", "кошелёк", "wallet"]),
            self.choose(["Шешім", "Решение", "Decision"]),
        ];
        let at = moment(decision.occurred_at, self.language);
        writeln!(out, "{operation} {}: {kind}{amount}, {wallet} {}, {at}", decision.op_id, decision.wallet_id)?;
        writeln!(out, "{verdict}: {}", vocabulary::word(decision.verdict.name(), self.language))?;
        if self.reader == Reader::Analyst {
            let [set, id] = [
                self.choose(["Ережелер жинағы", "Набор правил", "Rule set"]),
                self.choose(["шешім идентификаторы", "идентификатор решения", "decision id"]),
            ];
            writeln!(out, "{set} {}, {id} {}", decision.ruleset, decision.decision_id)?;
        }
        if !decision.degraded.is_empty() {
            let missing = self.choose(["Жетпеген деректер", "Чего не хватило", "What was missing"]);
            writeln!(out, "{missing}: {}", decision.degraded.join(", "))?;
        }
        let [fired, nearly] = [
            self.choose(["Іске қосылған ережелер", "Сработавшие правила", "Rules that fired"]),
            self.choose([
                "Іске қосылуға бір шарт жетпеген ережелер",
                "Правила, которым не хватило одного условия",
                "Rules that lacked one condition",
            ]),
        ];
        self.section(out, fired, true)?;
        self.section(out, nearly, false)?;
        let title = self.choose(["Енді күшінде", "Что теперь действует", "In force now"]);
        writeln!(out, "\n{title}:")?;
        if self.examination.in_force.is_empty() {
            writeln!(out, "  {}", self.choose(["шектеу жоқ", "ограничений нет", "no restriction"]))?;
        }
        for found in &self.examination.in_force {
            let clauses = found.clauses.join(", ");
            writeln!(out, "  {}; {} ({clauses}); {}", self.what(found), found.rule, self.since_until(found))?;
            writeln!(out, "    {}", self.lifting(found))?;
        }
        Ok(())
    }

    fn section(self, out: &mut String, title: &str, fired: bool) -> std::fmt::Result {
        let found: Vec<&RuleFinding> =
            self.examination.findings.iter().filter(|finding| finding.fired == fired).collect();
        if found.is_empty() {
            let none = self.choose(["жоқ", "нет", "none"]);
            return writeln!(out, "\n{title}: {none}");
        }
        writeln!(out, "\n{title}:")?;
        for finding in found {
            self.finding(out, finding)?;
        }
        Ok(())
    }

    fn finding(self, out: &mut String, finding: &RuleFinding) -> std::fmt::Result {
        let rule = self.examination.rule_of(finding);
        let clauses = rule.clauses.join(", ");
        let mode = self.choose(if finding.enforced {
            ["күшінде", "действует", "enforced"]
        } else {
            ["тек бақылайды", "только наблюдает", "in shadow"]
        });
        writeln!(out, "  {} ({clauses}), {mode}: {}", rule.id, rule.title.of(self.language))?;
        if finding.parts.is_empty() {
            let always = self.choose([
                "шартсыз: мұндай әр операцияда іске қосылады",
                "без условий: срабатывает на каждой такой операции",
                "without conditions: fires on every such operation",
            ]);
            writeln!(out, "    {always}")?;
        }
        let teller = Teller::new(&rule.source, &finding.values, self.language);
        for part in &finding.parts {
            let mark = match part.holds {
                Some(true) => "+",
                Some(false) => "−",
                None => "?",
            };
            writeln!(out, "    {mark} {}", teller.sentence(&part.part.expression, &part.sides))?;
            if self.reader == Reader::Analyst {
                writeln!(out, "        {}", part.part.text)?;
            }
            if part.holds == Some(true) {
                writeln!(out, "      {}", teller.opposite(&part.part.expression, &part.sides))?;
            }
            if part.holds.is_none() {
                let unknown = self.choose([
                    "белгісіз: оқылатын мәндердің бірі жоқ",
                    "неизвестно: одного из значений нет",
                    "unknown: one of the values is missing",
                ]);
                writeln!(out, "      {unknown}")?;
            }
            self.times(out, part)?;
        }
        Ok(())
    }

    fn times(self, out: &mut String, part: &PartFinding) -> std::fmt::Result {
        let told = [
            (part.since, ["ең ескісі", "самое раннее", "the oldest is of"]),
            (part.leaves, ["ол терезеден шығады", "оно выходит из окна", "it leaves the window at"]),
            (
                part.clears,
                [
                    "жаңа операция болмаса, шарт орындалмайтын уақыт",
                    "без новых операций условие перестанет выполняться",
                    "without further operations it no longer holds from",
                ],
            ),
        ];
        for (time, words) in told {
            if let Some(time) = time {
                writeln!(out, "      {}: {}", self.choose(words), moment(time, self.language))?;
            }
        }
        Ok(())
    }

    /// Names a restriction: "block of outgoing operations".
    fn what(self, found: &Restraint) -> &'static str {
        self.choose(match (found.kind, found.direction) {
            ("monitor", _) => [
                "мониторинг: шығыс операциялары күтеді",
                "мониторинг: исходящие операции ждут",
                "monitoring: outgoing operations wait",
            ],
            ("block", "debit") => {
                ["бұғат: шығыс операциялары", "блокировка: исходящие операции", "block: outgoing operations"]
            }
            ("block", "both") => {
                ["бұғат: барлық ақша операциялары", "блокировка: все денежные операции", "block: all money operations"]
            }
            ("block", _) => [
                "бұғат: осы IP-мекенжайдан кіру",
                "блокировка: вход с этого IP-адреса",
                "block: logins from this IP address",
            ],
            ("pin", _) => ["операция PIN-кодты күтеді", "операция ждёт PIN-кода", "the operation waits for the PIN"],
            _ => ["операция күтеді", "операция ждёт", "the operation waits"],
        })
    }

    fn since_until(self, found: &Restraint) -> String {
        let from = moment(found.from, self.language);
        match found.until.map(|until| moment(until, self.language)) {
            Some(until) => self.language.choose([
                format!("басталуы {from}, аяқталуы {until}"),
                format!("с {from} до {until}"),
                format!("from {from} until {until}"),
            ]),
            None => self.language.choose([
                format!("басталуы {from}, алып тастағанша"),
                format!("с {from}, до снятия"),
                format!("from {from}, until lifted"),
            ]),
        }
    }

    fn lifting(self, found: &Restraint) -> String {
        let lifters: Vec<String> =
            found.lifted_by.iter().map(|lifter| vocabulary::word(lifter.name(), self.language)).collect();
        if lifters.is_empty() {
            return self
                .choose(["мерзімінен бұрын алынбайды", "раньше срока не снимается", "not lifted before its end"])
                .to_owned();
        }
        let who = self.choose(["алып тастайды", "снимает", "lifted by"]);
        format!("{who}: {}", lifters.join("; "))
    }

    fn for_client(self, out: &mut String) -> std::fmt::Result {
        for sentence in self.client_sentences() {
            writeln!(out, "{sentence}")?;
        }
        Ok(())
    }

    fn client_sentences(self) -> Vec<String> {
        let decision = &self.examination.decision;
        let is_asked = decision.kind.is_money() || decision.kind.is_session();
        let mut told: Vec<String> =
            is_asked.then(|| self.choose(verdict_for_client(decision.verdict)).to_owned()).into_iter().collect();
        // Only enforced matches bear messages.
        let messages = decision.matches.iter().filter_map(|found| found.message.as_ref());
        told.extend(messages.map(|message| message.of(self.language).to_owned()));
        let mut seen: Vec<String> = Vec::new();
        for found in &self.examination.in_force {
            let until = found.until.map(|until| moment(until, self.language)).map(|until| {
                self.language.choose([
                    format!("; аяқталуы {until}"),
                    format!("; до {until}"),
                    format!("; until {until}"),
                ])
            });
            let sentence = format!("{}{}; {}.", self.what(found), until.unwrap_or_default(), self.lifting(found));
            if !seen.contains(&sentence) {
                seen.push(sentence);
            }
        }
        if told.is_empty() && seen.is_empty() {
            told.push(self.choose(["Шектеу жоқ.", "Ограничений нет.", "There is no restriction."]).to_owned());
        }
        told.extend(seen.iter().map(|sentence| super::sentence::capitalized(sentence)));
        told
    }
}

/// Tells the client what became of the operation.
pub(super) const fn verdict_for_client(verdict: Verdict) -> [&'static str; 3] {
    match verdict {
        Verdict::Allow => ["Операцияға рұқсат берілді.", "Операция разрешена.", "The operation is allowed."],
        Verdict::Challenge => [
            "Операцияны жалғастыру үшін қосымша тексеріс қажет.",
            "Чтобы продолжить, нужна дополнительная проверка.",
            "One more check is needed to go on.",
        ],
        Verdict::Hold => ["Операция күтуде.", "Операция ожидает.", "The operation is waiting."],
        Verdict::Refuse => ["Операция қабылданбады.", "В операции отказано.", "The operation was refused."],
    }
}
