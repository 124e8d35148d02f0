// How the tests of a rule ended, and which changes of the rule none of them notices.
import { post } from "./api.js";
import { html, useState } from "./html.js";
import { t } from "./i18n.js";
import { Task, useTask } from "./tasks.js";

function Mutants({ changes }) {
  return html`<p data-mutants=${changes.survivors.length}>${t("edit_mutants", { noticed: changes.noticed, survivors: changes.survivors.length })}</p>
    <ul class="plain">${changes.survivors.map((one) => html`<li><code>${one.before}</code> → <code>${one.after}</code>
      ${one.test && html`<details><summary>${t("edit_suggested")}</summary><pre tabindex="0">${one.test}</pre></details>`}</li>`)}</ul>`;
}

/** What the service told of the tests of one rule. */
export function Tests({ told }) {
  const [rule] = told.rules;
  const items = (rule?.tests ?? []).map((test) => html`<li data-passed=${String(test.passed)}>
    <span class=${`sign sign-${test.passed ? "yes" : "no"}`}>${test.passed ? "✓" : "✗"}</span> ${test.name}
    ${test.mismatches.map((mismatch) => html`<div class="muted small">${t("edit_line", { line: mismatch.line })}
      ${mismatch.differences.map(({ key, expected, found }) => html`<div><code>${key}</code>: ${t("edit_expected", { expected: JSON.stringify(expected), found: JSON.stringify(found) })}</div>`)}</div>`)}</li>`);
  return html`<p data-tests=${told.failed === 0 ? "passed" : "failed"}>${t("edit_tests_told", { passed: told.passed, failed: told.failed })}</p>
    <ul class="plain">${items}</ul>${rule?.gap && html`<p class="warning">${typeof rule.gap === "string" ? rule.gap : JSON.stringify(rule.gap)}</p>`}
    ${rule?.mutation && html`<${Mutants} changes=${rule.mutation}/>`}`;
}

/** Runs the tests of a rule, with `files` laid over those in use. */
export function RunTests({ rule, files = {}, mayRun = true }) {
  const [mutates, setMutates] = useState(false);
  const [tests, runTests] = useTask();
  const query = new URLSearchParams({ rule, ...(mutates ? { mutate: "true" } : {}) });
  const run = () => runTests(() => post(`/v1/rules/test?${query}`, { files }));
  return html`<div class="buttons"><button type="button" data-action="test" disabled=${!mayRun} onClick=${run}>${t("edit_run")}</button>
      <label class="radio"><input type="checkbox" name="mutate" checked=${mutates} onChange=${() => setMutates(!mutates)}/><span>${t("edit_mutate")}</span></label></div>
    <div aria-live="polite"><${Task} state=${tests}>${(told) => html`<${Tests} told=${told}/>`}<//></div>`;
}
