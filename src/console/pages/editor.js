// The page where an analyst changes a rule and its tests: errors as they are typed, the tests, and what the change would
// have done to the operations of the last days, before anything is put into the folder of rules.
import { can, get, post, Problem, segment, useLoad } from "../api.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { numberText, moneyText, t, word } from "../i18n.js";
import * as v from "../parts.js";
import { save } from "../export.js";
import { store } from "../storage.js";
import { ReloadFailure } from "./rules.js";

/** The text is checked so long after the last key. */
const TYPED = 400;
const DAYS = ["1", "7", "30", "90"];

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

function Tests({ told }) {
  const [rule] = told.rules;
  const items = (rule?.tests ?? []).map((test) => html`<li data-passed=${String(test.passed)}>
    <span class=${`sign sign-${test.passed ? "yes" : "no"}`}>${test.passed ? "✓" : "✗"}</span> ${test.name}
    ${test.mismatches.map((mismatch) => html`<div class="muted small">${t("edit_line", { line: mismatch.line })}
      ${mismatch.differences.map(({ key, expected, found }) => html`<div><code>${key}</code>: ${t("edit_expected", { expected: JSON.stringify(expected), found: JSON.stringify(found) })}</div>`)}</div>`)}</li>`);
  const changes = rule?.mutation;
  return html`<p data-tests=${told.failed === 0 ? "passed" : "failed"}>${t("edit_tests_told", { passed: told.passed, failed: told.failed })}</p>
    <ul class="plain">${items}</ul>${rule?.gap && html`<p class="warning">${typeof rule.gap === "string" ? rule.gap : JSON.stringify(rule.gap)}</p>`}
    ${changes && html`<p>${t("edit_mutants", { noticed: changes.noticed, survivors: changes.survivors.length })}</p>
      <ul class="plain">${changes.survivors.map((one) => html`<li><code>${one.before}</code> → <code>${one.after}</code></li>`)}</ul>`}`;
}

function Impact({ report }) {
  const { total, by_rule: rules, operations, days } = report;
  const figures = (list) => new Map(list);
  const [newly, gone] = [figures(total.newly), figures(total.no_longer)];
  const columns = [
    { title: t("col_verdict") }, { title: t("impact_newly"), class: "right" }, { title: t("col_amount"), class: "right" },
    { title: t("impact_gone"), class: "right" }, { title: t("col_amount"), class: "right" },
  ];
  const count = (found) => [numberText(found?.operations ?? 0), found?.operations ? moneyText(found.amount) : "—"];
  const rows = v.VERDICTS.filter((verdict) => newly.has(verdict) || gone.has(verdict)).map((verdict) => html`<${v.Row} isFixed columns=${columns}
    data-impact=${verdict} cells=${[v.verdictBadge(verdict), ...count(newly.get(verdict)), ...count(gone.get(verdict))]}/>`);
  const changed = rules.filter((rule) => rule.newly.operations || rule.no_longer.operations);
  const ruleColumns = [{ title: t("col_rule") }, { title: t("impact_newly"), class: "right" }, { title: t("impact_gone"), class: "right" }, { title: t("impact_per_day"), class: "right" }];
  const ruleRows = changed.map((rule) => html`<${v.Row} isFixed columns=${ruleColumns} cells=${[html`<code>${rule.rule}</code>`,
    numberText(rule.newly.operations), numberText(rule.no_longer.operations), numberText(rule.alerts.per_day.toFixed(1))]}/>`);
  return html`<div data-report="done"><p>${t("impact_over", { n: numberText(operations), days })} ${t("impact_wallets", { n: numberText(total.wallets_touched) })}</p>
    <${v.Table} columns=${columns} name=${t("impact_title")}>${rows}<//>
    ${ruleRows.length > 0 && html`<${v.Table} columns=${ruleColumns} name=${t("col_rules")}>${ruleRows}<//>`}</div>`;
}

/** Runs a backtest to its end; `told` hears how far it is. */
async function backtest(files, days, told, signal) {
  let answer = await post("/v1/backtests?wait=1s", { rules: files, against: "current", days: Number(days) });
  while (answer.state === "running" && !signal.aborted) {
    told(answer.operations ? answer.done / answer.operations : 0);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    answer = await get(`/v1/backtests/${answer.id}`, signal);
  }
  return answer;
}

function useTask() {
  const [state, setState] = useState(null);
  const running = useRef(new AbortController());
  useEffect(() => () => running.current.abort(), []);
  const run = async (job) => {
    setState({ busy: t("loading") });
    try {
      const done = await job((share) => setState({ busy: t("impact_running", { n: Math.round(share * 100) }) }), running.current.signal);
      setState({ done });
    } catch (error) {
      setState({ error });
    }
  };
  return [state, run];
}

function Task({ state, children }) {
  if (!state) return null;
  if (state.busy) return html`<p class="state" role="status">${state.busy}</p>`;
  if (state.error) return html`<${ReloadFailure} error=${state.error} title=${t("edit_refused")}/>`;
  return children(state.done);
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

function Edit({ rule }) {
  const { files } = rule;
  const testsPath = files.tests ?? files.rule.replace(/\.yaml$/, ".test.yaml");
  const first = { rule: rule.text ?? "", tests: files.tests_text ?? "" };
  const [texts, setTexts] = useState(() => ({ ...first, ...JSON.parse(store("sessionStorage", draftKey(rule.id)) || "{}") }));
  const [days, setDays] = useState("7");
  const [mutates, setMutates] = useState(false);
  const [tests, runTests] = useTask();
  const [impact, runImpact] = useTask();
  const changes = { [files.rule]: texts.rule, ...(texts.tests || files.tests ? { [testsPath]: texts.tests } : {}) };
  const checked = useCheck(changes);
  const isChanged = texts.rule !== first.rule || texts.tests !== first.tests;
  const change = (more) => {
    const next = { ...texts, ...more };
    setTexts(next);
    store("sessionStorage", draftKey(rule.id), JSON.stringify(next));
  };
  const reset = () => {
    setTexts(first);
    store("sessionStorage", draftKey(rule.id), null);
  };
  const of = (path) => (checked?.diagnostics ?? []).filter((finding) => finding.file === path);
  const mayRun = checked?.ok === true;
  const test = () => runTests(() => post(`/v1/rules/test?${new URLSearchParams({ rule: rule.id, ...(mutates ? { mutate: "true" } : {}) })}`, { files: changes }));
  const compare = () => runImpact(async (told, signal) => {
    const answer = await backtest(changes, days, told, signal);
    if (!answer.report) throw new Problem(200, { detail: answer.detail ?? answer.state });
    return answer.report;
  });
  const download = () => {
    for (const [path, text] of Object.entries(changes)) save(new Blob([text], { type: "text/yaml" }), path.split("/").at(-1));
  };
  return html`<section class="card"><h2>${files.rule}</h2>
      <${Editor} label=${t("yaml_title")} value=${texts.rule} change=${(text) => change({ rule: text })} findings=${of(files.rule)}/>
      <div aria-live="polite"><${Findings} checked=${checked} files=${{ rule: files.rule, tests: testsPath }}/></div>
      <div class="buttons"><button type="button" class="quiet" disabled=${!isChanged} onClick=${reset}>${t("edit_reset")}</button>
        <button type="button" data-action="download" disabled=${!mayRun} onClick=${download}>${t("edit_download")}</button>
        <span class="muted small">${t("edit_note")}</span></div></section>
    <section class="card"><h2>${t("edit_tests")}: ${testsPath}</h2>
      <${Editor} label=${t("edit_tests")} value=${texts.tests} change=${(text) => change({ tests: text })} findings=${of(testsPath)}/>
      <div class="buttons"><button type="button" data-action="test" disabled=${!mayRun} onClick=${test}>${t("edit_run")}</button>
        <label class="radio"><input type="checkbox" checked=${mutates} onChange=${() => setMutates(!mutates)}/><span>${t("edit_mutate")}</span></label></div>
      <div aria-live="polite"><${Task} state=${tests}>${(told) => html`<${Tests} told=${told}/>`}<//></div></section>
    <section class="card"><h2>${t("impact_title")}</h2><div class="buttons"><label>${t("impact_days")} <${v.Select} value=${days} change=${setDays}
        options=${DAYS.map((n) => [n, n])}/></label>
      <button type="button" data-action="backtest" disabled=${!mayRun} onClick=${compare}>${t("impact_run")}</button></div>
      <div aria-live="polite"><${Task} state=${impact}>${(report) => html`<${Impact} report=${report}/>`}<//></div></section>`;
}

/** @param {{parts: string[]}} given */
export function Page({ parts: [, id] }) {
  const load = useLoad((signal) => get(`/v1/rules/${segment(id)}`, signal), [id]);
  const title = t("edit_title", { id });
  if (!can("analyst")) {
    return html`<div class="page"><${v.Heading} title=${title}/><${v.Failure} error=${new Problem(403)} role="analyst"/></div>`;
  }
  return html`<${v.Loaded} title=${title} load=${load}>${(rule) => html`<div class="page"><${v.Heading} title=${title}>
    <a href=${v.ruleHref(rule.id)}>${t("edit_back")}</a><//><${Edit} rule=${rule}/></div>`}<//>`;
}
