"""The table of commands: under which heading each is listed, where it is, and its one line in the list.

Nothing is imported before it is asked for: `bellhand list` waits neither for the crawler's report nor for the dashboard.
"""

from __future__ import annotations

from cyclopts import App, Group

START = Group("Start", sort_key=1)
WORK = Group("Work", sort_key=2)
LOOK = Group("Look", sort_key=3)
CONTROL = Group("Control", sort_key=4)
BUILD = Group("Build", sort_key=5)
OPERATE = Group("Operate", sort_key=6)
# A line is the first sentence of the function's own text, which its own --help shows whole; a group's is its own.
COMMANDS: tuple[tuple[Group, str, str, str], ...] = (
    (START, "dev", "dev:dev", "Run a database of its own, the daemon and a demo, until Ctrl-C."),
    (START, "run", "run:run", "Run the daemon: claim jobs and run them, until SIGTERM or Ctrl-C."),
    (START, "migrate", "migrations:migrate", "Bring the schema up to date."),
    (START, "check", "maintenance:check", "Check the configuration, the handlers and the database; exits 78 if one is not fit, 75 if only the database is away."),
    (START, "doctor", "doctor:doctor", "Look for what is wrong now, or soon will be: all of `check`, then the living system; exits 1 if something is."),
    (START, "install", "install:install", "Make a service of it: user, folders, configuration, units, schema; then start it."),
    (START, "uninstall", "install:uninstall", "Stop the service and take it out; the database is never touched."),
    (START, "env", "maintenance:env", "Print the settings as environment variables; with --dsn the DSN in use."),
    (START, "version", "maintenance:version", "Print the versions of Bellhand and of what it stands on."),
    (START, "help", "topics:help_", "Explain exit codes, environment, formatting, how jobs are named, and errors by their code; show guides and runbooks."),
    (WORK, "enqueue", "enqueue:enqueue", "Enqueue a job and print its id."),
    (WORK, "quote", "foresight:quote", "Say what would become of a job if it were enqueued now; nothing is stored."),
    (WORK, "list", "jobs:list_", "List jobs, the newest first, or with --oldest the oldest."),
    (WORK, "show", "jobs:show", "Show jobs in full: what was asked, how far it is, what happened to it."),
    (WORK, "why", "jobs:why", "Say why a job stands where it stands, and what would change that."),
    (WORK, "watch", "watch:watch", "Watch jobs live until they are over; Ctrl-C stops watching, not the jobs."),
    (WORK, "wait", "watch:wait", "Wait until jobs are over, silently; exits 0, 5 if one failed, 6 if the timeout came first."),
    (WORK, "cancel", "actions:cancel", "Cancel jobs; one that runs is stopped at its next await."),
    (WORK, "pause", "actions:pause", "Hold jobs, a lane or a kind; a running job stops at its next step and keeps what is done."),
    (WORK, "resume", "actions:resume", "Let paused jobs, a lane or a kind go on."),
    (WORK, "retry", "actions:retry", "Run failed, cancelled or partly completed jobs again; steps that completed are skipped."),
    (WORK, "run-now", "actions:run_now", "Run scheduled or retrying jobs at once."),
    (WORK, "edit", "editing:edit", "Change a job that is not over: priority, time, attempts, tags, and until it begins its payload."),
    (WORK, "purge", "actions:purge", "Delete jobs that are over, with payload, result, errors, steps and log; what is left says what they were."),
    (WORK, "reprioritize", "actions:reprioritize", "Let jobs that wait go before others, or after them."),
    (WORK, "bulk", "bulk:bulk", "Tell all jobs that match what to do: look first, then say again how many you expect."),
    (WORK, "undo", "bulk:undo", "Undo a bulk action where nothing else has touched a job since; or list those there were."),
    (LOOK, "status", "inspection:status", "Show lanes, workers and what the last hour brought."),
    (LOOK, "top", "top:top", "Watch lanes, workers and running jobs; q leaves. Where there is no terminal it is one look."),
    (LOOK, "lanes", "inspection:lanes", "List the lanes: what each holds, its limits, and how the last hour went."),
    (LOOK, "workers", "inspection:workers", "List the workers that are alive, and what each is up to."),
    (LOOK, "schedules", "inspection:schedules", "List the schedules, the next one due first."),
    (LOOK, "failures", "failures:failures", "List what fails alike, the last first; or show one group: what its jobs have in common."),
    (LOOK, "stats", "figures:stats", "Show how attempts ended over time, and how long jobs waited and ran."),
    (LOOK, "audit", "figures:audit", "Show what happened and who did it, the latest first."),
    (LOOK, "kinds", "inspection:kinds", "The kinds of job that the database knows."),
    (LOOK, "eta", "foresight:eta", "Say when a job will start and be done; without one, how often such bands held this week."),
    (LOOK, "logs", "logs:logs", "Show what the handler of a job logged, wherever it ran."),
    (LOOK, "channels", "channels:channels", "Where notifications go: mail, Slack, Discord, webhooks. `bellhand webhook` is the same."),
    (LOOK, "leads", "leads:leads", "The leads that jobs collected."),
    (LOOK, "seo", "seo:seo", "Sites that were crawled, and reports of them."),
    (LOOK, "crm", "crm:crm", "Reports of customers and what they buy."),
    (CONTROL, "lane", "lanes:lane", "Change the limits of a lane, pause it, resume it."),
    (CONTROL, "schedule", "schedules:schedule", "Make a schedule, run it now, pause it, resume it, take it out."),
    (CONTROL, "token", "tokens:token", "Who may ask over HTTP."),
    (BUILD, "init", "building:init", "Write a configuration to begin with: every setting with its default and what it means, none of them set."),
    (BUILD, "new", "building:new", "Write something to begin with."),
    (BUILD, "exec", "executing:exec_", "Run a handler once, here, without a queue: on a database of its own that is gone afterwards."),
    (BUILD, "test", "testing:try_kinds", "Test every kind by what it says of itself: its schema, its examples, and with --crash that a job survives dying at every step."),
    (BUILD, "repro", "repro:repro", "Write a folder from a job, with which a developer runs its handler again: what was asked, how it went, a test."),
    (OPERATE, "drain", "draining:drain", "Take daemons out of work, here or anywhere, without losing any; first say what that costs."),
    (OPERATE, "undrain", "draining:undrain", "Let a drained WORKER, or all of a --host, claim again."),
    (OPERATE, "cleanup", "cleaning:cleanup", "Forget what is older than so many days now, instead of when the daemon comes to it."),
    (OPERATE, "restore", "restore:restore", "After the database was restored: what would happen again."),
    (OPERATE, "health", "service:health", "Ask the daemon of this machine whether it is ready, in one line; exits 0 or 1. For HEALTHCHECK and scripts."),
    (OPERATE, "support-bundle", "bundle:support_bundle", "Gather configuration, doctor's findings, lanes, workers, schedules, sizes and failures in one file, for whoever helps you."),
    (OPERATE, "rules", "rules:rules", "Alert rules for Prometheus, whether they work, and a dashboard for Grafana."),
    (OPERATE, "schema", "schemas:schema", "Print the JSON Schema of what a command prints with --json, or of all of them."),
    (OPERATE, "completion", "service:completion", "Print what makes Tab complete commands, options and live names: source <(bellhand completion bash)."),
    (OPERATE, "bench", "run:bench", "Drain jobs as fast as this machine can, and say where the time goes."),
)  # fmt: skip
# Groups of commands; each has a text of its own.
GROUPS = frozenset(
    {
        "migrate",
        "kinds",
        "token",
        "channels",
        "lane",
        "schedule",
        "leads",
        "seo",
        "crm",
        "rules",
        "restore",
        "new",
    }
)


def register(app: App) -> None:
    """Makes all of them known to the program, by name only."""
    for group, name, where, line in COMMANDS:
        app.command(f"bellhand.cli.{where}", name=name, group=group, help=line)


def tell_whole(app: App, name: str) -> None:
    """From here on a command has its whole text, not only its line of the list; imports its module."""
    if name in NAMES and name not in GROUPS:
        app[name].help = None


def tell_all(app: App) -> App:
    """The program with the whole text of everything: for reference, manual and completion. Imports all of it."""
    for name in NAMES:
        tell_whole(app, name)
    return app


NAMES = tuple(name for _, name, _, _ in COMMANDS)
# Other names that work.
ALIASES = {"webhook": "channels"}
# What others call it, and what it is here: a tired hand types what it knows.
ELSEWHERE = {
    "queues": "lanes", "queue": "lane", "jobs": "list", "ls": "list", "history": "list --state over", "get": "show", "inspect": "show",
    "info": "status", "ps": "top", "log": "logs", "tail": "logs -f", "kill": "cancel", "stop": "drain", "start": "run", "serve": "run",
    "requeue": "retry", "rerun": "retry", "delete": "purge", "webhooks": "channels", "notifications": "channels",
    "cron": "schedule", "config": "check --print-config", "validate": "check", "errors": "failures", "metrics": "rules prometheus", "ping": "health",
    "runbook": "help runbooks", "upgrade": "migrate", "add": "enqueue", "push": "enqueue", "submit": "enqueue",
}  # fmt: skip
