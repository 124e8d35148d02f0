#!/usr/bin/env python3
"""The dashboards of kuzet: their one definition.

    generate.py             writes dashboards/*.json
    generate.py --check     fails if those files are not what this script writes
    generate.py --queries   prints every query as a JSON line: dashboard, panel, expr, only_in

`only_in` is the source of operations (`kafka`, `http`) or the setting without which the query has no series, or null.
Needs nothing but Python's standard library.
"""

import json
import pathlib
import re
import sys

FOLDER = pathlib.Path(__file__).parent / "dashboards"
# The version of the dashboard format of the Grafana in docker-compose.yml, whose types deploy/check knows.
SCHEMA_VERSION = 42
WIDTH = 24
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
# How long panels look back for a rate: at least four scrapes.
RATE = "[$__rate_interval]"

# Metrics that exist only where operations come from Kafka, only where they come over HTTP, and only where the
# service makes its anonymizer database itself.
ONLY_IN = {
    "kafka": ["kuzet_consumer_lag_records", "kuzet_shards", "kuzet_shard_halted", "kuzet_transactions_total",
              "kuzet_recoveries_total", "kuzet_recovery_seconds", "kuzet_shared_pending_changes",
              "kuzet_shared_window_bytes", "kuzet_shared_window_bytes_limit"],
    "http": ["kuzet_store_bytes", "kuzet_store_free_bytes"],
    "geoip.update_every": ["kuzet_geo_update_last_successful", "kuzet_geo_source_last_success_timestamp_seconds",
                           "kuzet_geo_source_failures_total"],
    "a rule's budget": ["kuzet_rule_budget_breaches_total", "kuzet_rule_budget_exceeded", "kuzet_rule_budget_stopped"],
    "http.tls": ["kuzet_tls_certificate_expiry_timestamp_seconds"],
}

RED, YELLOW, GREEN = "red", "yellow", "green"


def only_in(expression):
    """The source of operations, or the setting, without which an expression has no series; None when there is none."""
    for source, metrics in ONLY_IN.items():
        if any(re.search(rf"\b{metric}(_bucket|_sum|_count)?\b", expression) for metric in metrics):
            return source
    return None


def of(metric, *matchers):
    """The series of a metric of the chosen instances."""
    return metric + "{" + ", ".join(['job="$job"', 'instance=~"$instance"', *matchers]) + "}"


def rate(metric, *matchers, by="", looking_back=RATE):
    """How fast a counter grows, per second, added up over what is not in `by`."""
    return f"sum{f' by ({by})' if by else ''} (rate({of(metric, *matchers)}{looking_back}))"


def total(metric, *matchers, by=""):
    """How much a counter grew in the range that is looked at."""
    return f"sum{f' by ({by})' if by else ''} (increase({of(metric, *matchers)}[$__range]))"


def quantile(share, histogram, *matchers, by=""):
    buckets = rate(f"{histogram}_bucket", *matchers, by=", ".join(filter(None, ["le", by])))
    return f"histogram_quantile({share}, {buckets})"


def average(histogram, *matchers, by=""):
    return f"{rate(f'{histogram}_sum', *matchers, by=by)} / {rate(f'{histogram}_count', *matchers, by=by)}"


def thresholds(*steps):
    """Colours from the lowest value up; a step is a colour or a pair of value and colour."""
    pairs = [(None, step) if isinstance(step, str) else step for step in steps or (GREEN,)]
    return {"mode": "absolute", "steps": [{"color": color, "value": value} for value, color in pairs]}


def panel(kind, title, description, unit, queries, *, width=12, height=8, options=None, custom=None,
          steps=(), color="palette-classic", instant=False, form="time_series", decimals=None, overrides=(),
          transformations=(), mappings=(), maximum=None):
    """One panel. `queries` is a list of pairs of expression and legend."""
    defaults = {"color": {"mode": color}, "mappings": list(mappings), "min": 0, "noValue": "none",
                "thresholds": thresholds(*steps), "unit": unit}
    if custom is not None:
        defaults["custom"] = custom
    if decimals is not None:
        defaults["decimals"] = decimals
    if maximum is not None:
        defaults["max"] = maximum
    targets = [
        {"datasource": SOURCE, "editorMode": "code", "expr": expression, "format": form, "instant": instant,
         "legendFormat": legend, "range": not instant, "refId": chr(ord("A") + index)}
        for index, (expression, legend) in enumerate(queries)
    ]
    made = {"datasource": SOURCE, "description": description,
            "fieldConfig": {"defaults": defaults, "overrides": list(overrides)},
            "gridPos": {"h": height, "w": width, "x": 0, "y": 0}, "id": 0, "options": options, "targets": targets,
            "title": title, "type": kind}
    if transformations:
        made["transformations"] = list(transformations)
    return made


def lines(title, description, unit, queries, *, stacked=False, **more):
    """Lines over time."""
    custom = {
        "drawStyle": "line", "fillOpacity": 40 if stacked else 8, "lineInterpolation": "linear", "lineWidth": 1,
        "showPoints": "never", "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
    }
    options = {"legend": {"calcs": ["mean", "max", "lastNotNull"], "displayMode": "table", "placement": "bottom",
                          "showLegend": True},
               "tooltip": {"mode": "multi", "sort": "desc"}}
    return panel("timeseries", title, description, unit, queries, options=options, custom=custom, **more)


def figure(title, description, unit, expression, *, steps=(GREEN,), width=4, height=4, **more):
    """One number as it is now."""
    options = {"colorMode": "value", "graphMode": "area", "justifyMode": "auto", "orientation": "auto",
               "percentChangeColorMode": "standard",
               "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
               "showPercentChange": False, "textMode": "auto", "wideLayout": True}
    return panel("stat", title, description, unit, [(expression, "")], options=options, steps=steps, width=width,
                 height=height, color="thresholds", **more)


def table(title, description, unit, expression, hidden, *, sort, **more):
    """The answer at the end of the range as rows; `hidden` names labels that are not shown."""
    options = {"cellHeight": "sm", "showHeader": True, "sortBy": [{"desc": True, "displayName": sort}]}
    custom = {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True, "inspect": False}
    organize = {"id": "organize", "options": {"excludeByName": {name: True for name in ["Time", *hidden]},
                                              "renameByName": {"Value": sort}}}
    return panel("table", title, description, unit, [(expression, "")], options=options, custom=custom, instant=True,
                 form="table", transformations=[organize], decimals=0, **more)


def heatmap(title, description, unit, expression, **more):
    """How a histogram's buckets fill over time."""
    options = {
        "calculate": False, "cellGap": 1,
        "color": {"exponent": 0.5, "fill": "dark-orange", "mode": "scheme", "reverse": False, "scale": "exponential",
                  "scheme": "Oranges", "steps": 64},
        "exemplars": {"color": "rgba(255,0,255,0.7)"}, "filterValues": {"le": 1e-9}, "legend": {"show": True},
        "rowsFrame": {"layout": "auto"}, "showValue": "never",
        "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": False},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
    }
    custom = {"hideFrom": {"legend": False, "tooltip": False, "viz": False}, "scaleDistribution": {"type": "linear"}}
    return panel("heatmap", title, description, unit, [(expression, "{{le}}")], options=options, custom=custom,
                 form="heatmap", **more)


NOT_ALLOWED = 'verdict!="allow"'
HOLD, MONITOR, BLOCK = 'kind="hold"', 'kind="monitor"', 'kind="block"'
DECIDE, END_TO_END = 'stage="decide"', 'stage="end_to_end"'
OPERATIONS = rate("kuzet_operations_total")

OVERVIEW = [
    figure("Instances that decide", "Instances that answer and take operations. Red: none does.", "none",
           f"sum({of('kuzet_ready')})", steps=(RED, (1, GREEN))),
    figure("Operations", "Operations decided per second.", "ops", OPERATIONS),
    figure("Not allowed", "Share of the decisions that are not `allow`: challenge, hold or refuse.", "percentunit",
           f"{rate('kuzet_decisions_total', NOT_ALLOWED)} / {rate('kuzet_decisions_total')}", decimals=2),
    figure("Decided within, 99th percentile", "From arrival to commit, for 99 of 100 batches. One batch is one commit.",
           "s", quantile(0.99, "kuzet_stage_duration_seconds", 'stage="end_to_end"'),
           steps=(GREEN, (0.1, YELLOW), (0.25, RED))),
    figure("Oldest hold", "How long the operation waits that is held longest.", "s",
           f"max({of('kuzet_oldest_waiting_operation_seconds')})", steps=(GREEN, (28800, YELLOW), (86400, RED))),
    figure("Rule sets in force", "How many different rule sets decide. More than 1 is right only while rules change.",
           "none", f"count(count by (ruleset) ({of('kuzet_ruleset_info')} == 1))", steps=(RED, (1, GREEN), (2, RED))),
    lines("Operations by type", "Operations decided per second, by their type.", "ops",
          [(rate("kuzet_operations_total", by="type"), "{{type}}")], stacked=True),
    lines("Decisions by verdict", "Decisions per second, by verdict.", "ops",
          [(rate("kuzet_decisions_total", by="verdict"), "{{verdict}}")]),
    lines("Refused records by code", "Records per second that cannot be understood. They are kept with their reason.",
          "ops", [(rate("kuzet_rejected_total", by="code"), "{{code}}")]),
    lines("Duplicates, late operations, unknown fields",
          "Per second: operations that came again, operations later than the allowed lateness, fields at the top of a "
          "record that the contract does not know.", "ops",
          [(rate("kuzet_duplicates_total"), "duplicates"), (rate("kuzet_operations_late_total"), "late"),
           (rate("kuzet_unknown_fields_total"), "unknown fields")]),
    lines("Decisions without an input", "Share of the decisions for which a rule lacked an input, by input.",
          "percentunit",
          [(f"{rate('kuzet_decisions_degraded_total', by='input')} / on () group_left () {OPERATIONS}", "{{input}}")]),
    lines("Age of the geo databases", "Since when each database is built. A new one comes out every month.", "s",
          [(f"time() - max by (database) ({of('kuzet_geo_database_build_timestamp_seconds')})", "{{database}}")]),
    lines("State in memory", "Bytes of wallets and shared windows, by instance.", "bytes",
          [(of("kuzet_state_bytes"), "{{instance}}")]),
    lines("Wallets and shared windows", "How many there are in memory, added up over the instances.", "none",
          [(f"sum({of('kuzet_state_wallets')})", "wallets"), (f"sum({of('kuzet_shared_windows')})", "shared windows")]),
    lines("Store", "Bytes of the embedded store and what its file system has left, by instance.", "bytes",
          [(of("kuzet_store_bytes"), "{{instance}} store"), (of("kuzet_store_free_bytes"), "{{instance}} free")]),
    lines("Answers by status", "HTTP requests answered per second, by status.", "reqps",
          [(rate("kuzet_http_requests_total", by="status"), "{{status}}")]),
    lines("Uptime", "Time since the process began, by instance. A saw is a restart loop.", "s",
          [(f"time() - {of('kuzet_start_time_seconds')}", "{{instance}}")]),
    lines("Readers of the event stream", "Open streams of decisions over HTTP, and how far behind the slowest is.", "none",
          [(of("kuzet_sse_subscribers"), "{{instance}}"),
           (of("kuzet_sse_reader_lag_decisions"), "{{instance}}, decisions behind")]),
    table("Alerts", "Alerts of kuzet that fire or are about to. KuzetHeartbeat always fires.", "none",
          'ALERTS{alertname=~"Kuzet.*"}', ["__name__", "job"], sort="Active"),
    table("Versions and rule sets", "What runs where.", "none",
          f"{of('kuzet_ruleset_info')} * on (instance) group_left (version) {of('kuzet_build_info')}",
          ["__name__", "job"], sort="In force"),
    lines("Lag by shard", "Records in Kafka that wait to be decided, by shard.", "none",
          [(f"max by (shard) ({of('kuzet_consumer_lag_records')})", "shard {{shard}}")]),
    lines("Shards owned", "Shards by the instance that decides them. The sum is the number of partitions.", "none",
          [(of("kuzet_shards"), "{{instance}}")], stacked=True),
    lines("Transactions by result", "Transactions per second. `unknown` ended without an answer and were recovered.",
          "ops", [(rate("kuzet_transactions_total", by="result"), "{{result}}")]),
    lines("Halted shards", "1: state, offsets and decisions of the shard contradict each other, nothing is decided.",
          "none", [(f"max by (shard) ({of('kuzet_shard_halted')})", "shard {{shard}}")], maximum=1),
    lines("Recoveries", "Recoveries of a shard per second, by instance.", "ops",
          [(rate("kuzet_recoveries_total", by="instance"), "{{instance}}")]),
    lines("Changes that Redis has not taken", "Changes of shared windows that wait for Redis, by instance.", "none",
          [(of("kuzet_shared_pending_changes"), "{{instance}}")]),
    lines("Errors of the shared store", "Failed calls of Redis per second, by instance.", "ops",
          [(rate("kuzet_shared_store_errors_total", by="instance"), "{{instance}}")]),
]

RULE = 'rule=~"$rule"'
RULES = [
    figure("Matches", "Matches of enforced rules in the range that is looked at.", "short",
           total("kuzet_matches_total", 'mode="enforce"', RULE), decimals=0, width=6),
    figure("Matches in shadow", "Matches of rules that only watch, in the range that is looked at.", "short",
           total("kuzet_matches_total", 'mode="shadow"', RULE), decimals=0, width=6),
    figure("Last load of rules", "Whether the last load of changed rules was accepted everywhere.", "none",
           f"min({of('kuzet_rules_last_load_successful')})", steps=(RED, (1, GREEN)), width=6,
           mappings=[{"type": "value", "options": {"0": {"text": "refused"}, "1": {"text": "accepted"}}}]),
    figure("Rule sets in force", "How many different rule sets decide.", "none",
           f"count(count by (ruleset) ({of('kuzet_ruleset_info')} == 1))", steps=(RED, (1, GREEN), (2, RED)), width=6),
    lines("Matches of enforced rules", "Matches per second, by rule.", "ops",
          [(rate("kuzet_matches_total", 'mode="enforce"', RULE, by="rule"), "{{rule}}")], height=10),
    lines("Matches of rules in shadow", "Matches per second of rules that only watch: they change no verdict.", "ops",
          [(rate("kuzet_matches_total", 'mode="shadow"', RULE, by="rule"), "{{rule}}")], height=10),
    lines("Share of the operations, ten highest", "Which part of all operations a rule matches, enforced or not.",
          "percentunit",
          [(f"topk(10, {rate('kuzet_matches_total', RULE, by='rule')} / on () group_left () {OPERATIONS})", "{{rule}}")],
          height=10),
    lines("Compared with before",
          "How many times as often as before a rule matches; `Compared with` says how long before. Only rules that "
          "matched then.", "none",
          [(f"{rate('kuzet_matches_total', RULE, by='rule', looking_back='[30m]')}"
            f" / ({rate('kuzet_matches_total', RULE, by='rule', looking_back='[30m] offset $before')} > 0)", "{{rule}}")],
          height=10),
    lines("Stopped within the hour",
          "Operations that rules with a budget stopped within the hour of their stream, of all shards together.", "none",
          [(f"sum by (rule) (max by (rule, shard) ({of('kuzet_rule_budget_stopped', RULE)}))", "{{rule}}")], height=10),
    lines("Budgets exceeded",
          "In how many shards a rule is in shadow because it exceeded its budget, and how often that happened in ten "
          "minutes.", "none",
          [(f"sum by (rule) (max by (rule, shard) ({of('kuzet_rule_budget_exceeded', RULE)}))", "{{rule}}: shards"),
           (f"sum by (rule) (increase({of('kuzet_rule_budget_breaches_total', RULE)}[10m]))", "{{rule}}: breaches")],
          height=10),
    table("Matches by rule", "Matches in the range that is looked at. 0: the rule is loaded and silent.", "none",
          total("kuzet_matches_total", RULE, by="rule, mode"), [], sort="Matches", height=12),
    table("Rule sets", "Which rule set decides where.", "none", of("kuzet_ruleset_info"), ["__name__", "job"],
          sort="In force", height=12),
    lines("Loads of rules", "Loads of changed rules in ten minutes, by result. Refused ones change nothing.", "none",
          [(f"sum by (result) (increase({of('kuzet_rule_reloads_total')}[10m]))", "{{result}}")], width=24, height=6),
]

COMMANDS = [
    figure("Held now", "Operations that are held.", "none", f"sum({of('kuzet_restrictions_active', HOLD)})"),
    figure("Monitored wallets", "Monitorings in force: outgoing operations of these wallets wait.", "none",
           f"sum({of('kuzet_restrictions_active', MONITOR)})"),
    figure("Blocks", "Blocks in force, of wallets and of addresses.", "none",
           f"sum({of('kuzet_restrictions_active', BLOCK)})"),
    figure("Oldest hold", "How long the operation waits that is held longest.", "s",
           f"max({of('kuzet_oldest_waiting_operation_seconds')})", steps=(GREEN, (28800, YELLOW), (86400, RED))),
    figure("Commands", "Commands to the ledger in the range that is looked at.", "short",
           total("kuzet_commands_total"), decimals=0),
    figure("Refused", "Operations refused in the range that is looked at.", "short",
           total("kuzet_decisions_total", 'verdict="refuse"'), decimals=0),
    lines("Commands by kind", "Commands to the ledger per second, by kind.", "ops",
          [(rate("kuzet_commands_total", by="command"), "{{command}}")], height=10),
    lines("Placed and ended", "Holds that are placed, and operations released or cancelled, per second. "
          "The first above the others: the queue of support grows.", "ops",
          [(rate("kuzet_commands_total", 'command="hold"'), "hold"),
           (rate("kuzet_commands_total", 'command="release"'), "release"),
           (rate("kuzet_commands_total", 'command="cancel"'), "cancel")], height=10),
    lines("Restrictions in force", "Holds, monitorings and blocks, added up over the instances.", "none",
          [(f"sum by (kind) ({of('kuzet_restrictions_active')})", "{{kind}}")]),
    lines("Age of the oldest hold", "How long the operation waits that is held longest, by instance.", "s",
          [(of("kuzet_oldest_waiting_operation_seconds"), "{{instance}}")]),
    lines("Verdicts but allow", "Share of the decisions, by verdict.", "percentunit",
          [(f"{rate('kuzet_decisions_total', NOT_ALLOWED, by='verdict')} / on () group_left () "
            f"{rate('kuzet_decisions_total')}", "{{verdict}}")]),
    table("Commands in total", "Commands in the range that is looked at.", "none",
          total("kuzet_commands_total", by="command"), [], sort="Commands"),
]

LATENCY = [
    lines("From arrival to commit", "Time until a batch is durable and answered. One batch is one commit.", "s",
          [(quantile(0.5, "kuzet_stage_duration_seconds", END_TO_END), "50th percentile"),
           (quantile(0.95, "kuzet_stage_duration_seconds", END_TO_END), "95th percentile"),
           (quantile(0.99, "kuzet_stage_duration_seconds", END_TO_END), "99th percentile")], height=9),
    heatmap("From arrival to commit, all of it", "How many batches took how long.", "s",
            f"sum by (le) (increase({of('kuzet_stage_duration_seconds_bucket', END_TO_END)}{RATE}))", height=9),
    lines("99th percentile by stage", "Which stage makes the slowest batches slow.", "s",
          [(quantile(0.99, "kuzet_stage_duration_seconds", by="stage"), "{{stage}}")]),
    lines("Average by stage", "Time of a stage of an average batch; stages are added up.", "s",
          [(average("kuzet_stage_duration_seconds", 'stage!="end_to_end"', by="stage"), "{{stage}}")], stacked=True),
    lines("99th percentile by instance", "From arrival to commit, by instance.", "s",
          [(quantile(0.99, "kuzet_stage_duration_seconds", END_TO_END, by="instance"), "{{instance}}")]),
    lines("Deciding an operation", "Average time of the stage `decide` for one operation.", "s",
          [(f"{rate('kuzet_stage_duration_seconds_sum', DECIDE)} / {rate('kuzet_batch_operations_sum')}", "decide")]),
    lines("Operations of a batch", "Batches grow under load: average and 99th percentile, and what waits.", "none",
          [(average("kuzet_batch_operations"), "average"), (quantile(0.99, "kuzet_batch_operations"), "99th percentile"),
           (of("kuzet_queue_requests"), "requests that wait, {{instance}}")]),
    lines("Batches", "Batches committed per second, by instance.", "ops",
          [(rate("kuzet_batch_operations_count", by="instance"), "{{instance}}")]),
    lines("99th percentile by route", "Time to answer a request, by route. A long poll waits by design.", "s",
          [(quantile(0.99, "kuzet_http_request_seconds", by="endpoint"), "{{endpoint}}")]),
    lines("Requests by route", "HTTP requests answered per second, by route.", "reqps",
          [(rate("kuzet_http_requests_total", by="endpoint"), "{{endpoint}}")]),
    lines("Refused for the sake of others", "HTTP connections closed early and requests refused per second, by reason.",
          "ops", [(rate("kuzet_http_refused_total", by="reason"), "{{reason}}")]),
    lines("Recovery of a shard", "Time from assignment to the first decision, 99th percentile.", "s",
          [(quantile(0.99, "kuzet_recovery_seconds"), "99th percentile")]),
    lines("Lag in time", "How long the waiting records take at the present pace.", "s",
          [(f"sum(max by (shard) ({of('kuzet_consumer_lag_records')})) / {OPERATIONS}", "behind")]),
]

DASHBOARDS = [
    ("kuzet-overview", "kuzet: overview", "Is kuzet deciding, what arrives, what is missing.", OVERVIEW, []),
    ("kuzet-rules", "kuzet: rules", "What each rule matches.", RULES, ["rule"]),
    ("kuzet-commands", "kuzet: ledger commands", "What the ledger is told to do, and what waits.", COMMANDS, []),
    ("kuzet-latency", "kuzet: latency", "Where the time of a decision goes.", LATENCY, []),
]


def choice(name, label, query, description, *, many):
    """A variable whose values Prometheus knows."""
    made = {"datasource": SOURCE, "description": description, "hide": 0, "includeAll": many, "label": label,
            "multi": many, "name": name, "query": {"query": query, "refId": f"variable-{name}"}, "refresh": 2,
            "sort": 1, "type": "query"}
    everything = {"current": {"selected": True, "text": ["All"], "value": ["$__all"]}, "allValue": ".*"}
    return made | (everything if many else {"current": {"selected": True, "text": "kuzet", "value": "kuzet"}})


def variables(extra):
    made = [
        {"current": {"selected": False, "text": "Prometheus", "value": "prometheus"}, "description":
         "The Prometheus that scrapes kuzet", "hide": 0, "includeAll": False, "label": "Data source", "multi": False,
         "name": "datasource", "query": "prometheus", "refresh": 1, "type": "datasource"},
        choice("job", "Job", "label_values(kuzet_build_info, job)", "The scrape job of kuzet", many=False),
        choice("instance", "Instance", 'label_values(kuzet_build_info{job="$job"}, instance)', "Instances of kuzet",
               many=True),
    ]
    if "rule" in extra:
        made.append(choice("rule", "Rule", 'label_values(kuzet_matches_total{job="$job"}, rule)', "Rules", many=True))
        spans = ["1h", "1d", "7d"]
        made.append({
            "current": {"selected": True, "text": "1h", "value": "1h"}, "description": "What to compare with",
            "hide": 0, "includeAll": False, "label": "Compared with", "multi": False, "name": "before",
            "options": [{"selected": span == "1h", "text": span, "value": span} for span in spans],
            "query": ",".join(spans), "type": "custom"})
    return made


def arranged(panels):
    """Places panels from left to right and top to bottom, and numbers them."""
    column = row = tallest = 0
    placed = []
    for number, made in enumerate(panels, 1):
        size = made["gridPos"]
        if column + size["w"] > WIDTH:
            column, row, tallest = 0, row + tallest, 0
        placed.append(made | {"gridPos": size | {"x": column, "y": row}, "id": number})
        column, tallest = column + size["w"], max(tallest, size["h"])
    return placed


def dashboard(uid, title, description, panels, extra):
    link = {"asDropdown": True, "icon": "external link", "includeVars": True, "keepTime": True, "tags": ["kuzet"],
            "targetBlank": False, "title": "kuzet", "tooltip": "The other dashboards", "type": "dashboards", "url": ""}
    return {
        "annotations": {"list": []}, "description": description, "editable": False, "fiscalYearStartMonth": 0,
        "graphTooltip": 1, "id": None, "links": [link], "liveNow": False, "panels": arranged(panels), "refresh": "30s",
        "schemaVersion": SCHEMA_VERSION, "tags": ["kuzet"], "templating": {"list": variables(extra)},
        "time": {"from": "now-3h", "to": "now"}, "timepicker": {}, "timezone": "browser", "title": title, "uid": uid,
        "version": 1,
    }


def files():
    """The text of every file by its name."""
    return {
        f"{uid}.json": json.dumps(dashboard(uid, title, description, panels, extra), indent=1, ensure_ascii=False) + "\n"
        for uid, title, description, panels, extra in DASHBOARDS
    }


def differences():
    """What is wrong with the files in the folder."""
    expected = files()
    found = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    return [f"dashboards/{name} is not what generate.py writes: run deploy/grafana/generate.py"
            for name in sorted(expected.keys() | found.keys()) if expected.get(name) != found.get(name)]


def main(arguments):
    if arguments == ["--queries"]:
        for uid, _, _, panels, _ in DASHBOARDS:
            for made in panels:
                for target in made["targets"]:
                    print(json.dumps({"dashboard": uid, "panel": made["title"], "expr": target["expr"],
                                      "only_in": only_in(target["expr"])}))
    elif arguments == ["--check"]:
        complaints = differences()
        print("\n".join(complaints), end="\n" if complaints else "")
        return 1 if complaints else 0
    elif not arguments:
        FOLDER.mkdir(exist_ok=True)
        expected = files()
        for path in FOLDER.glob("*.json"):
            if path.name not in expected:
                path.unlink()
        for name, text in expected.items():
            (FOLDER / name).write_text(text)
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
