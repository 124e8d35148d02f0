// The page where an analyst changes a rule and its tests: errors as they are typed, the tests, and what the change would
// have done to the operations of the last days, before anything is put into the folder of rules.
import { agree } from "../agree.js";
import { can, get, post, Problem, segment, useLoad } from "../api.js";
import { Changes } from "../changes.js";
import { save } from "../export.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { t, word } from "../i18n.js";
import { backtest, DaysField, Impact } from "../impact.js";
import { notice, withMode } from "../lifecycle.js";
import * as v from "../parts.js";
import { go } from "../router.js";
import { RunTests } from "../rule-tests.js";
import { store } from "../storage.js";
import { ReloadFailure, Task, useTask } from "../tasks.js";

/** The text is checked so long after the last key. */
const TYPED = 400;
/** Where a new rule is kept, unless somebody says otherwise. */
const NEW_FOLDER = "behaviour";

const draftKey = (id) => `kuzet.draft.${id}`;

/** A text with numbered lines; those with findings are marked. */
function Editor({ label, value, change, findings }) {
  const gutter = useRef(null);
  const marked = new Map(findings.map((finding) => [finding.line, finding.severity]));
  const lines = value.split("\n").map((_, index) => {
    const kind = marked.get(index + 1);
    return html`<span class=${kind ? `line-${kind}` : null}>${index + 1}</span>`;
  });
  const scrolled = (event) => {
    gutter.current.scrollTop = event.currentTarget.scrollTop;
  };
  return html`<div class="editor"><div class="gutter" aria-hidden="true" ref=${gutter}>${lines}</div>
    <textarea aria-label=${label} aria-invalid=${String(findings.some(({ severity }) => severity === "error"))} spellcheck=${false} autocapitalize="off" wrap="off"
      rows="22" value=${value} onScroll=${scrolled} onInput=${(event) => change(event.currentTarget.value)}></textarea></div>`;
}

/** Puts the keyboard where a finding is. */
function goToLine(finding, area) {
  const before = area.value.split("\n").slice(0, finding.line - 1).join("\n");
  const start = before.length + (before ? 1 : 0) + Math.max(0, finding.column - 1);
  area.focus();
  area.setSelectionRange(start, start);
  area.scrollTop = Math.max(0, (finding.line - 5) * (area.scrollHeight / Math.max(1, area.value.split("\n").length)));
}

function Findings({ checked, files }) {
  if (!checked) return html`<p class="muted small">${t("edit_checking")}</p>`;
  if (checked.error) return html`<${ReloadFailure} error=${checked.error}/>`;
  // What is wrong comes first, and what is only good to know is not shown while somebody writes.
  const own = checked.diagnostics.filter((finding) => finding.severity !== "note")
    .sort((a, b) => Number(b.severity === "error") - Number(a.severity === "error"));
  const areas = () => [...document.querySelectorAll(".editor textarea")];
  const items = own.map((finding) => {
    const place = [files.rule, files.tests].indexOf(finding.file);
    const text = `${finding.file}:${finding.line}:${finding.column}`;
    const where = place < 0 ? html`<code>${text}</code>`
      : html`<button type="button" class="quiet" onClick=${() => goToLine(finding, areas()[place])}><code>${text}</code></button>`;
    return html`<li data-code=${finding.code}><span class=${`badge ${finding.severity === "error" ? "verdict-refuse" : "verdict-challenge"}`}>
      ${word("severity_", finding.severity)}</span> ${where} ${finding.message}</li>`;
  });
  const state = checked.ok ? html`<p class="small" data-checked="ok"><span class="badge verdict-allow">${t("edit_ok")}</span></p>` : html`<span data-checked="errors"></span>`;
  return html`${state}${items.length > 0 && html`<ul class="plain findings">${items}</ul><details open=${!checked.ok}>
    <summary>${t("edit_carets")}</summary><pre tabindex="0">${checked.text}</pre></details>`}`;
}

/** Checks a moment after the last change. */
function useCheck(changes) {
  const [checked, setChecked] = useState(null);
  const key = JSON.stringify(changes);
  useEffect(() => {
    let isLeft = false;
    const timer = setTimeout(async () => {
      const found = await post("/v1/rules/check", { files: changes }).catch((error) => ({ error }));
      if (!isLeft) setChecked(found);
    }, TYPED);
    return () => {
      isLeft = true;
      clearTimeout(timer);
    };
  }, [key]);
  return checked;
}

const nameOf = (path) => path.split("/").at(-1).replace(/\.yaml$/, "");

/** What saving would do to the rules, before it is agreed to. */
function Saving({ found, rule }) {
  const files = found.files.map(({ file, action }) => html`<li><code>${file}</code> ${t(`save_${action}`)}</li>`);
  const stops = found.shadowed.includes(rule.id) && rule.mode === "enforce";
  return html`<ul class="plain">${files}</ul>
    ${found.shadowed.length > 0 && html`<p class=${stops ? "warning" : null} data-shadowed=${rule.id}>${t(stops ? "save_stops" : "save_shadowed")}</p>`}
    ${found.tests.other_mode > 0 && html`<p class="warning">${t("save_other_mode", { n: found.tests.other_mode })}</p>`}
    <p class="small muted">${t("save_passed", { n: found.tests.passed })}</p><${Changes} changes=${found.changes}/>`;
}

const Options = ({ values, set }) => html`<div class="buttons"><label class="radio"><input type="checkbox" name="live" checked=${values.live}
    onChange=${() => set({ live: !values.live })}/><span>${t("save_live")}</span></label>
  <${DaysField} days=${values.days} change=${(days) => set({ days })}/></div>`;

/** Saves what is written, once what it would do was seen: in shadow first, unless the rule is to act at once. */
function saveFiles({ rule, files, opened, days }, done) {
  const body = (live, comment) => ({ files, opened, live, ...(comment && { comment }) });
  agree(t("save_title"), {
    text: t("save_text"), first: { live: false, days }, Fields: Options, hasComment: true, done,
    look: async (values, told, signal) => {
      const found = await post("/v1/rules/save?dry_run=true", body(values.live));
      const path = rule.files.rule;
      const isShadowed = found.shadowed.includes(nameOf(path));
      const saved = isShadowed ? { ...files, [path]: withMode(files[path], "shadow") } : files;
      const answer = await backtest({ rules: saved, against: "current", days: Number(values.days) }, told, signal);
      const shows = html`<${Saving} found=${found} rule=${rule}/><${Impact} answer=${answer}/>`;
      return { shows, nothing: found.files.length === 0 };
    },
    act: ({ live }, comment) => post("/v1/rules/save", body(live, comment)),
  });
}

function SaveCard({ mayRun, isChanged, rule, changes, opened, days, saved }) {
  const done = (answer) => {
    saved();
    notice.value = { rule: rule.id, text: t("save_done", { id: answer.ruleset }) };
    go(v.ruleHref(rule.id));
  };
  const press = () => {
    // Only what is another text now: the tests of a rule that stays are no change of the rule.
    const files = Object.fromEntries(Object.entries(changes).filter(([path]) => opened[path].text !== changes[path]));
    const hashes = Object.fromEntries(Object.keys(files).map((path) => [path, opened[path].hash]));
    saveFiles({ rule, files, opened: hashes, days }, done);
  };
  return html`<section class="card"><h2>${t("save_title")}</h2><p class="muted small">${t("edit_note")}</p><div class="buttons">
    <button type="button" class="primary-button" data-action="save" disabled=${!mayRun || !isChanged} onClick=${press}>${t("save")}</button></div></section>`;
}

function Edit({ rule }) {
  const { files } = rule;
  const testsPath = files.tests ?? files.rule.replace(/\.yaml$/, ".test.yaml");
  // A new rule begins with texts that no file has yet.
  const first = { rule: rule.text ?? "", tests: files.tests_text ?? "" };
  const [texts, setTexts] = useState(() => ({ ...first, ...JSON.parse(store("sessionStorage", draftKey(rule.id)) || "{}") }));
  const [days, setDays] = useState("7");
  const [impact, runImpact] = useTask();
  const changes = { [files.rule]: texts.rule, ...(texts.tests || files.tests ? { [testsPath]: texts.tests } : {}) };
  const opened = {
    [files.rule]: { hash: files.rule_hash, text: files.rule_hash ? first.rule : null },
    [testsPath]: { hash: files.tests_hash, text: files.tests_hash ? first.tests : null },
  };
  const checked = useCheck(changes);
  const isChanged = Object.entries(changes).some(([path, text]) => opened[path].text !== text);
  const isDraft = texts.rule !== first.rule || texts.tests !== first.tests;
  const change = (more) => setTexts((before) => {
    const next = { ...before, ...more };
    store("sessionStorage", draftKey(rule.id), JSON.stringify(next));
    return next;
  });
  const reset = () => {
    setTexts(first);
    store("sessionStorage", draftKey(rule.id), null);
  };
  const of = (path) => (checked?.diagnostics ?? []).filter((finding) => finding.file === path);
  const mayRun = checked?.ok === true;
  const compare = () => runImpact((told, signal) => backtest({ rules: changes, against: "current", days: Number(days) }, told, signal));
  const download = () => {
    for (const [path, text] of Object.entries(changes)) save(new Blob([text], { type: "text/yaml" }), path.split("/").at(-1));
  };
  return html`<section class="card"><h2>${files.rule}</h2>
      <${Editor} label=${t("yaml_title")} value=${texts.rule} change=${(text) => change({ rule: text })} findings=${of(files.rule)}/>
      <div aria-live="polite"><${Findings} checked=${checked} files=${{ rule: files.rule, tests: testsPath }}/></div>
      <div class="buttons"><button type="button" class="quiet" disabled=${!isDraft} onClick=${reset}>${t("edit_reset")}</button>
        <button type="button" data-action="download" disabled=${!mayRun} onClick=${download}>${t("edit_download")}</button></div></section>
    <section class="card"><h2>${t("edit_tests")}: ${testsPath}</h2>
      <${Editor} label=${t("edit_tests")} value=${texts.tests} change=${(text) => change({ tests: text })} findings=${of(testsPath)}/>
      <${RunTests} rule=${rule.id} files=${changes} mayRun=${mayRun}/></section>
    <section class="card"><h2>${t("impact_title")}</h2><div class="buttons"><${DaysField} days=${days} change=${setDays}/>
      <button type="button" data-action="backtest" disabled=${!mayRun} onClick=${compare}>${t("impact_run")}</button></div>
      <div aria-live="polite"><${Task} state=${impact}>${(answer) => html`<${Impact} answer=${answer}/>`}<//></div></section>
    <${SaveCard} mayRun=${mayRun} isChanged=${isChanged} rule=${rule} changes=${changes} opened=${opened} days=${days}
      saved=${() => store("sessionStorage", draftKey(rule.id), null)}/>`;
}

/** A rule that is in no file yet: in shadow, with a test of both sides of its threshold. */
function newRule(id, folder) {
  const text = `rule: ${id}
clauses: ["7.15"]
title:
  kk: "250 000 теңгеден асатын аударым"
  ru: "Перевод больше 250 000 тенге"
  en: "Transfer of more than 250,000 KZT"
owner: risk
severity: medium
# A shadow rule reports what it matches and stops nothing.
mode: shadow
on: transfer
when: |
  amount > 250_000 KZT
then:
  - hold
`;
  const tests = `tests:
  - name: 250000.00 passes, one tiyn more matches
    start: 2026-03-02T12:00:00+05:00
    given: {type: transfer, wallet_id: W1, client_status: identified, counterparty: {kind: client, wallet_id: W2}}
    steps:
      - {at: 0m, amount: "250000.00", expect: {shadow: []}}
      - {at: 1m, amount: "250000.01", expect: {shadow: [${id}]}}
`;
  const path = folder ? `${folder}/${id}` : id;
  return { id, mode: "shadow", text, files: { rule: `${path}.yaml`, rule_hash: null, tests: null, tests_text: tests, tests_hash: null } };
}

/** @param {{parts: string[], query: URLSearchParams}} given */
export function Page({ parts: [, id, what], query }) {
  const isNew = what === "new";
  const folder = query.get("folder") ?? NEW_FOLDER;
  const load = useLoad((signal) => (isNew ? newRule(id, folder) : get(`/v1/rules/${segment(id)}`, signal)), [id, isNew, folder]);
  const title = t(isNew ? "new_title" : "edit_title", { id });
  if (!can("analyst")) {
    return html`<div class="page"><${v.Heading} title=${title}/><${v.Failure} error=${new Problem(403)} role="analyst"/></div>`;
  }
  return html`<${v.Loaded} title=${title} load=${load}>${(rule) => html`<div class="page"><${v.Heading} title=${title}>
    ${isNew ? html`<a href="#/rules">${t("rules_title")}</a>` : html`<a href=${v.ruleHref(rule.id)}>${t("edit_back")}</a>`}<//><${Edit} rule=${rule}/></div>`}<//>`;
}
