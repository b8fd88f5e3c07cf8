"""The panels of the dashboard: one table, in the order in which they are seen. dashboard.py makes Grafana's JSON of it.

Only series that a daemon exports (tests/test_watching.py compares). `S` in braces stands for the job and the instances that were chosen,
`L` and `K` for the lanes and kinds besides. Gauges of lanes are the same from every daemon, so their maximum is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Sort = Literal["timeseries", "stat", "table", "heatmap", "bargauge"]
RATE = "[$__rate_interval]"


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: its queries with their legends; `link` is the page of Bellhand's own dashboard that tells more."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    description: str
    sort: Sort = "timeseries"
    width: int = 8
    stacked: bool = False
    link: str = "/"


def quantiles(name: str, by: str, labels: str, legend: str) -> tuple[tuple[str, str], ...]:
    """The median and the 95th percentile of a histogram, of those alone that counted something: none of nothing is NaN."""
    return tuple(
        (f"histogram_quantile({q}, sum by (le, {by}) (rate({name}_bucket{{{labels}}}{RATE}))) >= 0", f"{legend} p{q * 100:g}")
        for q in (0.5, 0.95)
    )  # fmt: skip


ROWS: dict[str, tuple[Panel, ...]] = {
    "Fleet": (
        Panel("Daemons", "short", (("sum(up{S})", "up"),), "Daemons that answer.", "stat", 3, link="/workers"),
        Panel("Slots taken", "percentunit", (("sum(bellhand_worker_slots_busy{S}) / sum(bellhand_worker_slots{S})", "taken"),),
              "Of all jobs that may run at once. At 100 % for long, work waits for hands.", "stat", 3, link="/workers"),
        Panel("Oldest due", "s", (("max(bellhand_lane_oldest_due_seconds{S})", "oldest"),),
              "How long the oldest job of any lane has been due.", "stat", 3, link="/lanes"),
        Panel("Failed", "percentunit",
              (('sum(increase(bellhand_jobs_finished_total{S,outcome="failed"}[1h])) / sum(increase(bellhand_jobs_finished_total{S}[1h])) >= 0 or vector(0)', "1 h"),),
              "Jobs of the last hour that failed for good.", "stat", 3, link="/failures"),
        Panel("Canary", "s", (("max(bellhand_canary_roundtrip_seconds{S})", "slowest lane"),),
              "From INSERT to settled, through the slowest quiet lane: what a job costs when nothing is in its way.", "stat", 3, link="/lanes"),
        Panel("Alerts", "short", (('count(ALERTS{alertname=~"Bellhand.*",alertstate="firing"}) or vector(0)', "firing"),),
              "Alerts of Bellhand that fire now; each has a page under docs/runbooks.", "stat", 3, link="/system"),
        Panel("Versions", "short", (("count by (version) (bellhand_build_info{S})", "{{version}}"),),
              "Daemons by version; two only during a rolling restart.", "stat", 3, link="/workers"),
        Panel("Enqueued", "ops", (("max(increase(bellhand_jobs_enqueued_total{S}[5m])) / 300", "jobs"), ("max(increase(bellhand_jobs_deduplicated_total{S}[5m])) / 300 > 0", "there already")),
              "Jobs that were inserted, by whomever, and those asked for that were there already: read each minute, so the mean of five.", "stat", 3, link="/jobs"),
        Panel("Jobs ended", "ops", (("sum by (outcome) (rate(bellhand_jobs_finished_total{S}" + RATE + "))", "{{outcome}}"),),
              "Jobs that are over, by how they ended.", width=12, stacked=True, link="/jobs"),
        Panel("Slots", "short", (("sum by (instance) (bellhand_worker_slots_busy{S})", "{{instance}} busy"), ("sum(bellhand_worker_slots{S})", "all slots")),
              "Jobs that run, by daemon, and how many may.", width=12, link="/workers"),
    ),
    "Lanes": (
        Panel("Oldest due", "s", (("max by (lane) (bellhand_lane_oldest_due_seconds{L})", "{{lane}}"), ("max by (lane) (bellhand_lane_wait_slo_seconds{L})", "{{lane}} may wait")),
              "Age of the oldest due job, beside how long one may wait (wait_slo_seconds).", link="/lanes"),
        Panel("Wait", "s", quantiles("bellhand_job_wait_seconds", "lane", "L", "{{lane}}"),
              "From being due to being started; a deliberate delay does not count.", link="/lanes"),
        Panel("Time to drain", "s", (("max by (lane) (bellhand_lane_drain_seconds{L})", "{{lane}}"),),
              "Until what is pending is done, at the pace of the last ten minutes; nothing shown while nothing ends.", link="/lanes"),
        Panel("Pending", "short", (('max by (lane) (bellhand_lane_jobs{L,state="pending"})', "{{lane}}"), ("max by (lane) (bellhand_lane_paused{L}) > 0", "{{lane}} is paused")),
              "Jobs that are due and wait for a hand, counted up to 100,001; and which lanes are paused.", link="/lanes"),
        Panel("Running and limit", "short", (('max by (lane) (bellhand_lane_jobs{L,state="running"})', "{{lane}}"), ("max by (lane) (bellhand_lane_concurrency_limit{L}) > 0", "{{lane}} limit")),
              "Jobs that run in all daemons together, and the limit of lanes that have one.", link="/lanes"),
        Panel("Jobs ended", "ops", (("sum by (lane) (rate(bellhand_jobs_finished_total{L}" + RATE + "))", "{{lane}}"),),
              "Jobs that are over, by lane.", stacked=True, link="/lanes"),
        Panel("Oldest step against its limit", "percentunit",
              (("max by (lane) (bellhand_lane_oldest_running_step_seconds{L}) / (max by (lane) (bellhand_lane_step_timeout_seconds{L}) > 0)", "{{lane}}"),),
              "Of the running job that is nearest to its limit. Above 120 % its worker hangs.", link="/lanes"),
        Panel("Held up", "short", (("sum by (lane, reason) (max by (lane, reason) (bellhand_lane_unclaimable_jobs{L})) > 0", "{{lane}}: {{reason}}"),),
              "Jobs that nobody may take now: paused, without a handler, or waiting for another job; `elsewhere` is on its way to the daemon that has the handler.", stacked=True, link="/lanes"),
        Panel("Canaries", "s", (("max by (lane) (bellhand_canary_roundtrip_seconds{L})", "{{lane}}"), ("max by (lane) (bellhand_canary_waiting_seconds{L}) > 5", "{{lane}} out")),
              "How long the last canary of a quiet lane took, and for how long one has been out; where jobs wait none is sent.", link="/lanes"),
    ),
    "Kinds": (
        Panel("Run time", "s", quantiles("bellhand_job_run_seconds", "kind", 'K,outcome="completed"', "{{kind}}"),
              "How long successful attempts took.", link="/kinds"),
        Panel("Run times", "s", (('sum by (le) (increase(bellhand_job_run_seconds_bucket{K}' + RATE + "))", "{{le}}"),),
              "How many attempts took how long, of the kinds chosen.", "heatmap", link="/kinds"),
        Panel("Step time", "s", quantiles("bellhand_step_run_seconds", "kind", "K", "{{kind}}"), "How long steps took.", link="/kinds"),
        Panel("Attempts", "ops", (("sum by (result) (rate(bellhand_job_attempts_total{K}" + RATE + "))", "{{result}}"),),
              "How attempts ended; a snooze burns none.", stacked=True, link="/kinds"),
        Panel("Failed for good", "percentunit",
              (('sum by (kind) (rate(bellhand_jobs_finished_total{K,outcome="failed"}' + RATE + ")) / sum by (kind) (rate(bellhand_jobs_finished_total{K}" + RATE + ")) >= 0", "{{kind}}"),),
              "Part of the jobs that ended.", link="/failures"),
        Panel("Steps", "ops", (("sum by (kind, outcome) (rate(bellhand_steps_finished_total{K}" + RATE + ")) > 0", "{{kind}} {{outcome}}"),),
              "Steps that ended: the sign of life of long jobs.", link="/kinds"),
        Panel("How far off what was foretold is", "percentunit", (("max by (what) (bellhand_eta_error_ratio{S})", "{{what}} off by"), ("max by (what) (bellhand_eta_band_held_ratio{S})", "{{what}} in its band")),
              "Over this week: the error as a part of the time taken, and how many fell into the band that was told. The alert waits for 20.", width=12, link="/system"),
        Panel("Ignored cancelling, came too late", "ops",
              (("sum by (kind) (rate(bellhand_handlers_abandoned_total{K}" + RATE + ")) > 0", "{{kind}} ignored"), ("sum by (kind) (rate(bellhand_stale_results_total{K}" + RATE + ")) > 0", "{{kind}} too late")),
              "Handlers that went on after they were cancelled, and outcomes of jobs that had become another's.", width=12, link="/kinds"),
    ),
    "Families": (
        Panel("Jobs ended", "ops",
              (('sum by (family) (label_replace(rate(bellhand_jobs_finished_total{S}' + RATE + '), "family", "$1", "kind", "([^.]+)([.].*)?"))', "{{family}}"),),
              "By the family of the kind.", stacked=True, link="/kinds"),
        Panel("Leads", "short", (('sum by (result) (increase(bellhand_results_total{S,kind=~"leads[.].*|lead-collection"}[1h]))', "{{result}}"),),
              "What lead jobs that ended have counted, by the hour.", link="/kinds"),
        Panel("Sites", "short", (('sum by (result) (increase(bellhand_results_total{S,kind=~"sites[.].*"}[1h]))', "{{result}}"),),
              "Pages read, addresses, phones and profiles found, by the hour.", link="/kinds"),
        Panel("SEO", "short", (('sum by (result) (increase(bellhand_results_total{S,kind=~"seo[.].*"}[1h]))', "{{result}}"),),
              "Pages and issues, by the hour.", link="/kinds"),
        Panel("Matching and customers", "short", (('sum by (kind, result) (increase(bellhand_results_total{S,kind=~"matching[.].*|crm[.].*"}[1h]))', "{{kind}} {{result}}"),),
              "What their jobs have counted, by the hour.", link="/kinds"),
        Panel("Notifications", "ops", (('sum by (kind, result) (rate(bellhand_job_attempts_total{S,kind=~"notify[.].*"}' + RATE + ")) > 0", "{{kind}} {{result}}"),),
              "Attempts to deliver, by how they ended.", link="/kinds"),
    ),
    "Outside services": (
        Panel("Calls", "ops", (("sum by (service, code) (rate(bellhand_external_requests_total{S}" + RATE + ")) > 0", "{{service}} {{code}}"),),
              "Requests by how they ended; `cached` went nowhere.", stacked=True, link="/system"),
        Panel("Time of a call", "s", quantiles("bellhand_external_request_seconds", "service", "S", "{{service}}"), "How long answers took.", link="/system"),
        Panel("Cost", "currencyUSD", (("sum by (service) (increase(bellhand_external_cost_dollars_total{S}[1d]))", "{{service}}"),),
              "Of the last 24 hours, estimated by the prices in the settings.", link="/system"),
        Panel("Units", "short", (("sum by (service, direction) (increase(bellhand_external_units_total{S}[1h])) > 0", "{{service}} {{direction}}"),),
              "Tokens and searches, by the hour.", link="/system"),
        Panel("Left of the caps", "percentunit", (("min by (service) (bellhand_external_quota_remaining_ratio{S})", "{{service}}"),),
              "Of the cap with the least left, of this day or month; 100 % where none is set.", link="/system"),
        Panel("Nobody calls", "short", (("max by (service) (bellhand_circuit_open{S}) > 0", "{{service}} fails"), ("max by (service) (bellhand_external_paused{S}) > 0", "{{service}} asked to wait")),
              "Services whose breaker is open, or which asked to wait.", link="/system"),
    ),
    "Daemon and Postgres": (
        Panel("Claim", "s", quantiles("bellhand_claim_seconds", "instance", "S", "{{instance}}"), "How long a claim took.", width=6, link="/workers"),
        Panel("Claimed and woken", "ops", (("sum by (instance) (rate(bellhand_claimed_jobs_total{S}" + RATE + "))", "{{instance}} jobs"), ("sum by (source) (rate(bellhand_wakeups_total{S}" + RATE + "))", "woken by {{source}}")),
              "Jobs claimed, and what woke the loop.", width=6, link="/workers"),
        Panel("Up", "short", (("bellhand_db_up{S}", "{{instance}} database"), ("bellhand_listen_up{S}", "{{instance}} bell"), ("bellhand_draining{S}", "{{instance}} draining")),
              "1 while the database answers, the bell is heard, the daemon drains.", width=6, link="/workers"),
        Panel("Jobs rescued", "short", (("sum by (reason) (increase(bellhand_jobs_rescued_total{S}[15m]))", "{{reason}}"),),
              "Jobs taken back from lost workers, in 15 minutes.", width=6, link="/workers"),
        Panel("Connections", "short", (("bellhand_db_connections{S}", "{{instance}}"), ("increase(bellhand_db_reconnects_total{S}[15m])", "{{instance}} opened anew")),
              "Connections to Postgres, and how many were opened anew in 15 minutes.", width=6, link="/system"),
        Panel("Size of tables", "bytes", (("max by (table) (bellhand_table_bytes{S})", "{{table}}"),), "With their indexes.", width=6, stacked=True, link="/system"),
        Panel("Dead rows", "short", (("max by (table) (bellhand_table_dead_rows{S})", "{{table}}"),),
              "Rows that wait for VACUUM.", width=6, link="/system"),
        Panel("Oldest transaction", "s", (("max(bellhand_oldest_transaction_seconds{S})", "oldest"), ("max(bellhand_retention_lag_seconds{S})", "retention is late by")),
              "VACUUM removes nothing younger; and for how long the oldest day of history should have been gone.", width=6, link="/system"),
        Panel("Schedules", "s", (("max by (schedule) (bellhand_schedule_overdue_seconds{S})", "{{schedule}} overdue"), ("sum by (schedule) (increase(bellhand_schedule_missed_total{S}[1h])) > 0", "{{schedule}} missed")),
              "For how long the next tick has been due, and ticks that came late.", width=6, link="/schedules"),
        Panel("Log lines", "ops", (('sum by (level) (rate(bellhand_log_messages_total{S,level!="debug"}' + RATE + "))", "{{level}}"),), "By level.", width=6, link="/system"),
        Panel("HTTP", "ops", (("sum by (route, code) (rate(bellhand_http_requests_total{S}" + RATE + ")) > 0", "{{route}} {{code}}"),), "Requests by route and status.", width=6, link="/system"),
        Panel("Time of a request", "s", quantiles("bellhand_http_request_seconds", "method", "S", "{{method}}"), "How long answering took.", width=6, link="/system"),
        Panel("Memory", "bytes", (("process_resident_memory_bytes{S}", "{{instance}}"),), "Of each daemon.", width=6, link="/workers"),
        Panel("CPU", "percentunit", (("rate(process_cpu_seconds_total{S}" + RATE + ")", "{{instance}}"),), "Of one core, of each daemon.", width=6, link="/workers"),
        Panel("Sample of the gauges", "s", (("time() - bellhand_stats_sample_timestamp_seconds{S}", "{{instance}} age"), ("bellhand_stats_sample_seconds{S}", "{{instance}} took")),
              "How old the gauges of lanes are, and how long reading them took.", width=12, link="/system"),
        Panel("Progress and followers", "short",
              (("sum(bellhand_sse_clients{S})", "streams followed"), ("sum by (result) (rate(bellhand_progress_writes_total{S}" + RATE + "))", "progress {{result}} a second"),
               ("sum(increase(bellhand_stats_sample_errors_total{S}[15m])) > 0", "samples failed in 15 minutes")),
              "Who follows a stream of events, how often progress of running jobs is written, and samples of the gauges that failed.", width=12, link="/system"),
        Panel("Channels", "short", (("max by (state) (bellhand_channels{S})", "{{state}}"),), "Channels of notifications, by how they fare.", width=12, link="/system"),
    ),
}  # fmt: skip
