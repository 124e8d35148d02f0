//! What fields, operation types, words and those who lift restrictions are called, in Kazakh, Russian and English.

use crate::operation::localized::Language;

type Names = [&'static str; 3];

/// Fields of operations and of matches, by their path.
const FIELDS: &[(&str, Names)] = &[
    ("op_id", ["операция идентификаторы", "идентификатор операции", "operation id"]),
    ("type", ["операция түрі", "тип операции", "operation type"]),
    ("occurred_at", ["операция уақыты", "время операции", "time of the operation"]),
    ("wallet", ["әмиян", "кошелёк", "wallet"]),
    ("wallet_id", ["әмиян", "кошелёк", "wallet"]),
    ("client_status", ["клиент мәртебесі", "статус клиента", "client status"]),
    ("amount", ["сома", "сумма", "amount"]),
    ("currency", ["валюта", "валюта", "currency"]),
    ("counterparty.kind", ["контрагент түрі", "вид контрагента", "kind of counterparty"]),
    ("counterparty.wallet_id", ["контрагент әмияны", "кошелёк контрагента", "wallet of the counterparty"]),
    ("counterparty.account", ["контрагент шоты", "счёт контрагента", "account of the counterparty"]),
    ("counterparty.phone", ["контрагент телефоны", "телефон контрагента", "phone of the counterparty"]),
    ("ip", ["IP-мекенжай", "IP-адрес", "IP address"]),
    ("ip.country", ["IP-мекенжай елі", "страна IP-адреса", "country of the IP address"]),
    ("ip.is_anonymizer", ["IP-мекенжай — анонимайзер", "IP-адрес — анонимайзер", "IP address is an anonymizer"]),
    ("device_id", ["құрылғы", "устройство", "device"]),
    ("outcome", ["нәтиже", "результат", "outcome"]),
    ("ref_op_id", ["сілтеме жасалған операция", "операция, на которую ссылаются", "operation referred to"]),
    ("proof", ["растау тәсілі", "способ подтверждения", "proof"]),
    ("order", ["клиенттің өкімі", "распоряжение клиента", "order of the client"]),
    ("actor", ["қызметкер", "сотрудник", "actor"]),
    ("source", ["хабарлаған тарап", "кто сообщил", "who reported"]),
    ("wallet.is_blocked", ["әмиян бұғатталған", "кошелёк заблокирован", "wallet is blocked"]),
    ("wallet.is_monitored", ["әмиян мониторингте", "кошелёк на мониторинге", "wallet is monitored"]),
    ("wallet.is_confirmed", ["күн PIN-кодпен расталған", "день подтверждён PIN-кодом", "day is confirmed by the PIN"]),
    (
        "ref.age",
        [
            "сілтеме жасалған операциядан бергі уақыт",
            "время после операции, на которую ссылаются",
            "time since the operation referred to",
        ],
    ),
    ("rule", ["ереже", "правило", "rule"]),
    ("mode", ["ереже режимі", "режим правила", "mode of the rule"]),
    ("clauses", ["тармақтар", "пункты", "clauses"]),
];

/// Operation types and classes, many of each: in Russian in the genitive.
const STREAMS: &[(&str, Names)] = &[
    ("transfer", ["аударымдар", "переводов", "transfers"]),
    ("payment", ["төлемдер", "платежей", "payments"]),
    ("cash_out", ["ақша шығарулар", "выводов денег", "cash-outs"]),
    ("redemption", ["өтеулер", "погашений", "redemptions"]),
    ("top_up", ["толықтырулар", "пополнений", "top-ups"]),
    ("refund", ["қайтарымдар", "возвратов", "refunds"]),
    ("login", ["кірулер", "входов", "logins"]),
    ("secret_answer", ["құпия жауаптар", "секретных ответов", "secret answers"]),
    ("pin", ["PIN-код енгізулер", "вводов PIN-кода", "PIN entries"]),
    ("debit", ["шығыс операциялары", "исходящих операций", "outgoing operations"]),
    ("credit", ["кіріс операциялары", "входящих операций", "incoming operations"]),
    ("session", ["кіру оқиғалары", "событий входа", "session events"]),
    ("any", ["операциялар", "операций", "operations"]),
    ("match", ["ережелердің іске қосылулары", "срабатываний правил", "matches of rules"]),
];

/// Operation types, one of each.
const TYPES: &[(&str, Names)] = &[
    ("transfer", ["аударым", "перевод", "transfer"]),
    ("payment", ["төлем", "платёж", "payment"]),
    ("cash_out", ["ақша шығару", "вывод денег", "cash-out"]),
    ("redemption", ["өтеу", "погашение", "redemption"]),
    ("top_up", ["толықтыру", "пополнение", "top-up"]),
    ("refund", ["қайтарым", "возврат", "refund"]),
    ("login", ["кіру", "вход", "login"]),
    ("secret_answer", ["құпия жауап", "секретный ответ", "secret answer"]),
    ("pin", ["PIN-код", "PIN-код", "PIN"]),
    ("cancelled", ["операция жойылды", "операция отменена", "operation cancelled"]),
    ("wallet_block_requested", ["бұғаттау өтініші", "просьба заблокировать", "block requested"]),
    ("wallet_unblock_requested", ["бұғатын ашу өтініші", "просьба разблокировать", "unblock requested"]),
    ("ownership_disputed", ["иесі туралы дау", "спор о владельце", "ownership disputed"]),
    ("identity_confirmed", ["жеке басы расталды", "личность подтверждена", "identity confirmed"]),
    ("ip_unblock_requested", ["IP-мекенжайды ашу өтініші", "просьба открыть IP-адрес", "IP unblock requested"]),
    ("cash_out_details_wrong", ["деректемелер қате", "неверные реквизиты", "wrong details"]),
    ("fraud_reported", ["алаяқтық туралы хабарлама", "сообщение о мошенничестве", "fraud reported"]),
    ("documents_refused", ["құжат ұсынбады", "отказ показать документы", "documents refused"]),
    ("tampering_detected", ["жүйеге араласу", "вмешательство в систему", "tampering detected"]),
    ("suspicion_confirmed", ["күдік расталды", "подозрение подтверждено", "suspicion confirmed"]),
    ("operation_disputed", ["операция дауланды", "операция оспорена", "operation disputed"]),
    ("complaint_received", ["клиентке шағым", "жалоба на клиента", "complaint received"]),
    ("seizure_ordered", ["тыйым салынды", "наложен арест", "seizure ordered"]),
    ("seizure_lifted", ["тыйым алынды", "арест снят", "seizure lifted"]),
    ("rule_rearmed", ["ереже қайта қосылды", "правило снова включено", "rule re-armed"]),
];

/// Words that fields have as values, and those who lift restrictions.
const WORDS: &[(&str, Names)] = &[
    ("success", ["сәтті", "успех", "success"]),
    ("failure", ["сәтсіз", "неудача", "failure"]),
    ("unregistered", ["тіркелмеген", "незарегистрированный", "unregistered"]),
    ("unidentified", ["сәйкестендірілмеген", "неидентифицированный", "unidentified"]),
    ("identified", ["сәйкестендірілген", "идентифицированный", "identified"]),
    ("client", ["клиент", "клиент", "client"]),
    ("merchant", ["сатушы", "продавец", "merchant"]),
    ("bank_account", ["банк шоты", "банковский счёт", "bank account"]),
    ("agent", ["агент", "агент", "agent"]),
    ("card", ["карта", "карта", "card"]),
    ("pin", ["PIN-код", "PIN-код", "PIN"]),
    ("secret_answer", ["құпия жауап", "секретный ответ", "secret answer"]),
    ("identity_document", ["жеке басты куәландыратын құжат", "документ, удостоверяющий личность", "identity document"]),
    (
        "mobile_contract",
        ["ұялы байланыс операторымен жасалған шарт", "договор с мобильным оператором", "mobile contract"],
    ),
    ("agreed", ["клиентпен келісім", "согласование с клиентом", "agreement with the client"]),
    ("explanations", ["клиенттің түсініктемесі", "объяснения клиента", "explanations of the client"]),
    ("facts_established", ["анықталған мән-жайлар", "установленные обстоятельства", "established facts"]),
    ("court", ["сот", "суд", "court"]),
    ("support", ["қолдау қызметі", "служба поддержки", "support"]),
    ("complete", ["орындау", "выполнить", "complete"]),
    ("cancel", ["жою", "отменить", "cancel"]),
    ("enforce", ["күшінде", "действует", "enforced"]),
    ("shadow", ["тек бақылайды", "только наблюдает", "in shadow"]),
    ("issuer", ["эмитент", "эмитент", "issuer"]),
    ("payment_system", ["төлем жүйесі", "платёжная система", "payment system"]),
    ("antifraud_centre", ["антифрод-орталық", "антифрод-центр", "antifraud centre"]),
    ("law_enforcement", ["құқық қорғау органы", "правоохранительный орган", "law enforcement"]),
    ("ledger", ["есеп жүйесі", "учётная система", "ledger"]),
    ("allow", ["рұқсат берілді", "разрешено", "allowed"]),
    ("challenge", ["тексеріс сұралды", "запрошена проверка", "challenged"]),
    ("hold", ["күтуде", "ожидает", "on hold"]),
    ("refuse", ["қабылданбады", "отказано", "refused"]),
];

fn find(table: &[(&str, Names)], word: &str, language: Language) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == word).map(|(_, names)| language.choose(*names))
}

/// Names a field by its path; `this.` before it is the field of the operation that is judged.
pub(super) fn field(path: &str, language: Language) -> String {
    if let Some(key) = path.strip_prefix("attributes.") {
        return language.choose([
            format!("«{key}» атрибуты"),
            format!("атрибут «{key}»"),
            format!("attribute “{key}”"),
        ]);
    }
    if let Some(rest) = path.strip_prefix("this.") {
        let name = field(rest, language);
        return language.choose([
            format!("осы операцияда: {name}"),
            format!("в этой операции: {name}"),
            format!("{name} of this operation"),
        ]);
    }
    find(FIELDS, path, language).unwrap_or(path).to_owned()
}

/// Names the operations of a type or a class, many of them; in Russian in the genitive.
pub(super) fn stream(name: &str, language: Language) -> String {
    if let Some(known) = find(STREAMS, name, language) {
        return known.to_owned();
    }
    let single = operation_type(name, language);
    language.choose([format!("«{single}» оқиғалары"), format!("событий «{single}»"), format!("events “{single}”")])
}

/// Names one operation of a type.
pub(super) fn operation_type(name: &str, language: Language) -> String {
    find(TYPES, name, language).unwrap_or(name).to_owned()
}

/// Names a word of a closed set, a verdict, or who lifts a restriction; any other text stays as it is.
pub(super) fn word(name: &str, language: Language) -> String {
    find(WORDS, name, language).or_else(|| find(TYPES, name, language)).unwrap_or(name).to_owned()
}

/// Says of which operations an aggregate is: those that have this field in common with the one that is judged.
pub(super) fn key(path: &str, language: Language) -> String {
    let names = match path {
        "wallet" | "wallet_id" => ["осы әмиян бойынша", "по этому кошельку", "of this wallet"],
        "amount" => ["тең сомаға", "на равную сумму", "of an equal amount"],
        "ip" => ["осы IP-мекенжайдан", "с этого IP-адреса", "from this IP address"],
        "device_id" => ["осы құрылғыдан", "с этого устройства", "from this device"],
        "counterparty.wallet_id" => ["сол алушыға", "тому же получателю", "to the same recipient"],
        _ => {
            let name = field(path, language);
            return language.choose([
                format!("мәні бірдей: {name}"),
                format!("с тем же значением: {name}"),
                format!("with the same {name}"),
            ]);
        }
    };
    language.choose(names).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{AttemptOutcome, ClientStatus, CounterpartyKind, OperationType, Order, Proof, ReportSource};
    use crate::rules::program::Lifter;

    #[test]
    fn everything_that_rules_can_name_has_a_name() {
        let words = [
            AttemptOutcome::NAMES,
            ClientStatus::NAMES,
            CounterpartyKind::NAMES,
            Order::NAMES,
            Proof::NAMES,
            ReportSource::NAMES,
        ];
        let lifters = Lifter::ALL.iter().map(|lifter| lifter.name());
        for name in words.concat().into_iter().chain(lifters) {
            assert!(find(WORDS, name, Language::English).is_some(), "{name}");
        }
        for name in OperationType::NAMES {
            assert!(find(TYPES, name, Language::English).is_some(), "{name}");
        }
        for path in crate::rules::field_paths() {
            assert!(find(FIELDS, path, Language::English).is_some(), "{path}");
        }
    }
}
