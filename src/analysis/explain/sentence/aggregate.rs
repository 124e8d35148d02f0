//! What an aggregate is called: what it computes, of which operations, in which window.

use super::super::vocabulary;
use super::Teller;
use crate::operation::localized::{Language, Value};
use crate::operation::time::Nanos;
use crate::rules::program::Type;
use crate::rules::syntax::{AggregateSyntax, KeySyntax, WindowKind};

impl Teller<'_> {
    /// "number of transfers, where …, within 1 h, of this wallet"
    pub(super) fn aggregate(self, aggregate: &AggregateSyntax) -> String {
        let (stream, field) = aggregate.stream.text.split_once('.').unwrap_or((&aggregate.stream.text, ""));
        let stream = vocabulary::stream(stream, self.language);
        let mut parts = vec![self.function(&aggregate.function.text, &stream, field)];
        if let Some(filter) = &aggregate.filter {
            let phrase = self.bare().phrase(filter);
            parts.push(match self.language {
                Language::Kazakh => format!("мұнда {phrase}"),
                Language::Russian => format!("где {phrase}"),
                Language::English => format!("where {phrase}"),
            });
        }
        parts.extend(self.window(aggregate.window.kind));
        match &aggregate.key {
            KeySyntax::IntoWallet => {
                parts.push(self.language.choose(["осы әмиянға", "в этот кошелёк", "into this wallet"]).to_owned());
            }
            KeySyntax::By(names) => {
                parts.extend(names.iter().map(|name| vocabulary::key(&name.text, self.language)));
                if !names.iter().any(|name| matches!(&*name.text, "wallet" | "wallet_id")) {
                    let all = ["барлық әмияндар бойынша", "по всем кошелькам", "over all wallets"];
                    parts.push(self.language.choose(all).to_owned());
                }
            }
        }
        if aggregate.excluding_this {
            let without = ["осы операциясыз", "без этой операции", "without this operation"];
            parts.push(self.language.choose(without).to_owned());
        }
        parts.join(", ")
    }

    fn function(self, function: &str, stream: &str, field: &str) -> String {
        let name = vocabulary::field(field, self.language);
        let choose = |texts| self.language.choose(texts);
        match function {
            "count" => choose([format!("{stream} саны"), format!("число {stream}"), format!("number of {stream}")]),
            "sum" if field == "amount" => choose([
                format!("{stream}, жалпы сомасы"),
                format!("общая сумма {stream}"),
                format!("total amount of {stream}"),
            ]),
            "streak" => choose([
                format!("қатарынан {stream} саны"),
                format!("число {stream} подряд"),
                format!("number of {stream} in a row"),
            ]),
            "age" => choose([
                format!("{stream} тізбегінің басынан бергі уақыт"),
                format!("время с начала цепочки {stream}"),
                format!("time since the first of a chain of {stream}"),
            ]),
            "any" => choose([format!("{stream} болды"), format!("наличие {stream}"), format!("there were {stream}")]),
            "none" => choose([
                format!("{stream} болған жоқ"),
                format!("отсутствие {stream}"),
                format!("there were no {stream}"),
            ]),
            _ => {
                let words = match function {
                    "sum" => ["жиынтығы", "сумма значений", "total of the values"],
                    "distinct" => ["әртүрлі мәндер саны", "число разных значений", "number of different values"],
                    "min" => ["ең кіші мәні", "наименьшее значение", "smallest value"],
                    "max" => ["ең үлкен мәні", "наибольшее значение", "greatest value"],
                    "avg" => ["орташа мәні", "среднее значение", "average value"],
                    _ => ["соңғы мәні", "последнее значение", "latest value"],
                };
                let word = self.language.choose(words);
                choose([
                    format!("{stream}, «{name}» — {word}"),
                    format!("{word} «{name}» среди {stream}"),
                    format!("{word} of “{name}” among {stream}"),
                ])
            }
        }
    }

    fn window(self, window: WindowKind) -> Option<String> {
        let duration = |span: Nanos| self.shown(Some(&Value::Duration(span.get().into())), Type::Duration);
        Some(match window {
            WindowKind::Within(length) => {
                let length = duration(length);
                self.language.choose([format!("{length} ішінде"), format!("за {length}"), format!("within {length}")])
            }
            WindowKind::Quiet(gap) => {
                let gap = duration(gap);
                self.language.choose([
                    format!("үзілістері {gap} аспайтын"),
                    format!("с перерывами не дольше {gap}"),
                    format!("with no gap longer than {gap}"),
                ])
            }
            WindowKind::Today => {
                let today = ["бүгін (Алматы уақыты)", "за сегодня (по времени Алматы)", "today (time of Almaty)"];
                self.language.choose(today).to_owned()
            }
            WindowKind::ThisMonth => {
                let month =
                    ["осы айда (Алматы уақыты)", "за этот месяц (по времени Алматы)", "this month (time of Almaty)"];
                self.language.choose(month).to_owned()
            }
            WindowKind::Broken => return None,
        })
    }
}
