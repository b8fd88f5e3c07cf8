"""What each role can reach: columns, functions, other people's jobs."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import asyncpg
import pytest

from daemons import insert
from desk import Desk
from security import ROLES, Cast, cast

JOB = [
    "kind", "payload", "priority", "run_at", "attempts_max", "timeout_seconds", "unique_key", "owner", "tags", "depends_on", "depends_policy", "notify",
]  # fmt: skip
SITE = ["name", "website", "country", "excluded", "auto_check"]
SITES = ["businesses", "emails", "phones", "socials", "page_checks", "status_changes"]
SEO_SITE = ["url", "key", "name", "max_pages", "recrawl", "crawls_kept", "owner"]
SEO = [
    "sites",
    "crawls",
    "pages",
    "links",
    "sitemaps",
    "patterns",
    "analyses",
    "issues",
    "reports",
    "report_parts",
]
LEADS = ["leads", "keys", "sources", "pages", "exclusions", "ads_checks", "ads_evidence"]
PROJECT = ["id", "name", "one_to_one", "owner"]
ITEM = ["sku", "title", "brand", "price", "description", "attributes"]
MATCHING = [
    "projects", "items", "runs", "run_items", "run_chunks", "candidates", "matches", "answers", "matching_jobs",
]  # fmt: skip
# What an app says of its own; the rest is written by whoever mails.
CRM = {
    "customers": ["id", "name", "email", "tier", "time_zone", "consent", "deleted_at", "payment_customer", "payment_method"],
    "promotions": ["id", "subject", "body", "url", "starts_at", "ends_at"],
    "opportunities": ["id", "customer_id", "title", "offer", "url", "status", "estimated_value", "urgency"],
    "reviews": ["id", "customer_id", "about", "url", "rating", "reviewed_at"],
    "orders": ["id", "customer_id", "ordered_at", "amount", "quantity"],
}  # fmt: skip
CRM_READ = [
    "policy", "promotions", "opportunities", "reviews", "suppressions", "messages", "orders", "customer_months", "customer_figures",
    "cohort_months", "analytics", "reports", "report_parts", "payment_events", "refunds",
]  # fmt: skip
CRM_PAYMENT = [
    "id", "key", "customer_id", "amount", "currency", "description", "state", "live", "intent_id", "tries", "error_code", "decline_code",
    "said", "job_id", "begun_at", "action_at", "settled_at",
]  # fmt: skip
CRM_SOURCE = [
    "name", "url", "rows_at", "paging", "cursor_at", "cursor_parameter", "page_parameter", "page_first", "size_parameter", "page_rows",
    "pages_max", "id_prefix", "fields", "local_fields", "deletes", "delete_share_max",
]  # fmt: skip
CRM_SYNC = ["syncs", "sync_problems", "synced_customers"]
LOOK = [
    "lanes", "kinds", "workers", "schedules", "stats", "all_jobs", "lane_stats", "usage", "service_status",
    "channel_status", "subscriptions", "totals", "eta_calibration", "failure_groups", "deploys", "job_lines",
    "usage_recent",
    "stages",
]  # fmt: skip

# What may be done, beside what the worker may: everything to the rows of every table.
GRANTED = {
    *(("producer", "insert", f"bellhand.jobs.{column}") for column in JOB),
    *(("producer", "select", f"bellhand.jobs.{column}") for column in ("id", "key", "kind", "unique_key")),
    *(("producer", "insert", f"bellhand_sites.businesses.{column}") for column in SITE),
    *(("producer", "update", f"bellhand_sites.businesses.{column}") for column in SITE),
    *(("producer", "select", f"bellhand_sites.businesses.{column}") for column in ("id", *SITE)),
    *(("producer", right, f"bellhand_seo.sites.{column}") for right in ("insert", "update") for column in SEO_SITE),
    *(("producer", "select", f"bellhand_seo.sites.{column}") for column in ("id", *SEO_SITE)),
    *(("producer", right, "bellhand_leads.exclusions") for right in ("select", "insert", "update", "delete")),
    *(("producer", "update", f"bellhand_leads.leads.{column}") for column in ("excluded", "exclusion")),
    ("producer", "select", "bellhand_leads.leads"),
    *(("producer", right, f"bellhand_matching.projects.{column}") for right in ("select", "insert") for column in PROJECT),
    *(("producer", "insert", f"bellhand_matching.items.{column}") for column in ("project_id", "side", *ITEM)),
    *(("producer", "update", f"bellhand_matching.items.{column}") for column in ITEM),
    *(("producer", right, "bellhand_matching.items") for right in ("select", "delete")),
    ("producer", "select", "bellhand_matching.matches"),
    *(
        ("producer", right, f"bellhand_crm.{table}.{column}")
        for right in ("select", "insert", "update") for table, columns in CRM.items() for column in columns
    ),
    ("producer", "delete", "bellhand_crm.orders"),
    *(("producer", "select", f"bellhand_crm.{name}") for name in ("suppressions", "messages", "payments", "payment_events", "refunds")),
    *(("producer", right, f"bellhand_crm.sources.{column}") for right in ("select", "insert", "update") for column in CRM_SOURCE),
    *(("producer", right, "bellhand_crm.sources.token") for right in ("insert", "update")),
    *((who, "select", f"bellhand_crm.{name}") for who in ("producer", "reader") for name in CRM_SYNC),
    *(("reader", "select", f"bellhand_crm.payments.{column}") for column in CRM_PAYMENT),
    *(("reader", "select", f"bellhand_crm.sources.{column}") for column in (*CRM_SOURCE, "created_at")),
    *(("producer", "insert", f"bellhand_crm.suppressions.{column}") for column in ("address", "scope", "reason")),
    *(("reader", "select", f"bellhand_crm.{name}") for name in CRM_READ),
    *(("reader", "select", f"bellhand_crm.customers.{column}") for column in (*CRM["customers"][:7], "created_at")),
    *(("reader", "select", f"bellhand_matching.{name}") for name in MATCHING),
    *(("reader", "select", f"bellhand_leads.{name}") for name in LEADS),
    *(("reader", "select", f"bellhand.{name}") for name in LOOK),
    *(("reader", "select", f"bellhand_seo.{name}") for name in SEO),
    *(("reader", "select", f"bellhand_sites.{name}") for name in SITES),
    ("reader", "select", "bellhand_seo.all_crawls"),
}  # fmt: skip
# SECURITY DEFINER functions that anybody may call, and why that gives nothing away.
OPEN_TO_ALL = {
    "bellhand.jobs_inserted()": "a trigger's, refuses to be called",
    "bellhand.payload_fits(integer)": "a check of bellhand.jobs, made as who inserts; says yes or refuses",
    "bellhand.refuse_kind(text)": "only refuses",
    "bellhand.ring(text)": "a NOTIFY, which anybody may send anyhow",
    "bellhand.call_workers()": "the same",
}
OF_OURS = "n.nspname like 'bellhand%'"


async def sqlstate_of(who: asyncpg.Connection, statement: str) -> str | None:
    """How it was refused, None if it was not."""
    try:
        await who.execute(statement)
    except asyncpg.PostgresError as refusal:
        return str(refusal.sqlstate)
    return None


# Tables and columns


async def test_each_role_holds_the_grants_that_are_written_down_here_and_no_others(
    cast: Cast,
) -> None:
    tables = await cast.owner.fetch(
        f"select c.oid::regclass::text as name, c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace where {OF_OURS}"
        " and c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition"
    )
    assert len(tables) > 18
    found = set()
    for role in (*ROLES, "public"):
        name = role if role == "public" else f"bellhand_{role}"
        for table in tables:
            for right in ("select", "insert", "update"):
                columns = await cast.owner.fetch(
                    "select attname, has_column_privilege($1, attrelid, attnum, $2) as has from pg_attribute"
                    " where attrelid = $3 and attnum > 0 and not attisdropped", name, right, table["oid"],
                )  # fmt: skip
                has = [c["attname"] for c in columns if c["has"]]
                if len(has) == len(columns):
                    found.add((role, right, table["name"]))
                else:
                    found |= {(role, right, f"{table['name']}.{column}") for column in has}
            for right in ("delete", "truncate", "references", "trigger"):
                if await cast.owner.fetchval(
                    "select has_table_privilege($1, $2::oid, $3)", name, table["oid"], right
                ):
                    found.add((role, right, table["name"]))
    views = {
        "bellhand.all_jobs",
        "bellhand.lane_stats",
        "bellhand.service_status",
        "bellhand.channel_status",
        "bellhand.eta_calibration",
        "bellhand.failure_groups",
        "bellhand.usage_recent",
        "bellhand.stages",
        "bellhand_seo.all_crawls",
        "bellhand_matching.matching_jobs",
    }
    worker = {("worker", "select", name) for name in views} | {
        ("worker", right, table["name"])
        for table in tables
        for right in ("select", "insert", "update", "delete")
        if table["name"] not in views
    }
    assert found == GRANTED | worker


async def test_a_producer_may_set_no_column_but_those(cast: Cast) -> None:
    columns = await cast.owner.fetch(
        "select attname as name, format_type(atttypid, null) as type from pg_attribute where attrelid = 'bellhand.jobs'::regclass and attnum > 0"
    )
    others = [c for c in columns if c["name"] not in JOB]
    assert len(others) >= 13
    for column in others:
        overriding = "overriding system value" if column["name"] == "id" else ""
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await cast.producer.execute(
                f"insert into bellhand.jobs (kind, {column['name']}) {overriding} values ('a', null::{column['type']})"
            )
        value = "default" if column["name"] == "id" else "null"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await cast.producer.execute(f"update bellhand.jobs set {column['name']} = {value}")
    for column in JOB:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await cast.producer.execute(f"update bellhand.jobs set {column} = default")
    assert await cast.owner.fetchval("select count(*) from bellhand.jobs") == 0


async def test_a_stranger_and_a_reader_cannot_make_or_change_a_job(cast: Cast) -> None:
    await insert(cast.owner, "a")
    for who in (cast.reader, cast.stranger):
        for statement in (
            "insert into bellhand.jobs (kind) values ('a')",
            "select bellhand.enqueue('a')",
            'select bellhand.enqueue_many(\'[{"kind": "a"}]\')',
            "select bellhand.cancel(1)",
            "select bellhand.retry(1)",
            "delete from bellhand.history",
            "select nextval('bellhand.jobs_id_seq')",
            "select setval('bellhand.asleep_until', 0)",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await who.execute(statement)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await cast.stranger.execute("select * from bellhand.all_jobs")


# Functions that run as the owner


async def test_what_runs_as_the_owner_is_pinned_and_open_to_those_who_need_it(cast: Cast) -> None:
    functions = await cast.owner.fetch(
        "select p.oid::regprocedure::text as name, p.proconfig, has_function_privilege('public', p.oid, 'execute') as open, p.prosrc"
        f" from pg_proc p join pg_namespace n on n.oid = p.pronamespace where {OF_OURS} and p.prosecdef"
    )
    assert len(functions) >= 10
    for function in functions:
        assert "search_path=pg_catalog, pg_temp" in (function["proconfig"] or []), function["name"]
    assert {f["name"] for f in functions if f["open"]} == set(OPEN_TO_ALL)
    of_text = {f["name"] for f in functions if "execute" in f["prosrc"].lower().split()}
    assert of_text == {
        "bellhand.drop_history(integer,integer)",
        "bellhand.estimate(text,jsonb)",  # see test_quote
        "bellhand.prepare_history(integer)",
    }


EVIL = """
    create table evil.caught (what text, who text);
    create function evil.note(what text) returns void language sql as $$ insert into evil.caught values (what, current_user) $$;
    create function evil.same(a text, b text) returns boolean language plpgsql as $$ begin perform evil.note('text = text'); return true; end $$;
    create operator evil.= (leftarg = text, rightarg = text, function = evil.same);
    create operator evil.<> (leftarg = text, rightarg = text, function = evil.same);
    create function evil.less(a timestamptz, b timestamptz) returns boolean language plpgsql as $$ begin perform evil.note('time < time'); return true; end $$;
    create operator evil.<= (leftarg = timestamptz, rightarg = timestamptz, function = evil.less);
    create operator evil.> (leftarg = timestamptz, rightarg = timestamptz, function = evil.less);
    create function evil.minus(a integer, b smallint) returns integer language plpgsql as $$ begin perform evil.note('10 - priority'); return 0; end $$;
    create operator evil.- (leftarg = integer, rightarg = smallint, function = evil.minus);
    create function evil.member(a jsonb, b text) returns text language plpgsql as $$ begin perform evil.note('jsonb ->> text'); return 'x'; end $$;
    create operator evil.->> (leftarg = jsonb, rightarg = text, function = evil.member);
    create function evil.to_json(a text) returns json language plpgsql as $$ begin perform evil.note('to_json'); return '1'; end $$;
    create function evil.jsonb_typeof(a jsonb) returns text language plpgsql as $$ begin perform evil.note('jsonb_typeof'); return 'object'; end $$;
    create function evil.length(a text) returns integer language plpgsql as $$ begin perform evil.note('length'); return 1; end $$;
    create function evil.pg_notify(a text, b text) returns void language plpgsql as $$ begin perform evil.note('pg_notify'); end $$;
    create function evil.pg_notification_queue_usage() returns float8 language plpgsql as $$ begin perform evil.note('usage'); return 0; end $$;
    create function evil.clock_timestamp() returns timestamptz language plpgsql as $$ begin perform evil.note('clock'); return 'epoch'; end $$;
    create function evil.array_position(a anyarray, b anyelement) returns integer language plpgsql as $$ begin perform evil.note('array'); return 1; end $$;
    create table evil.kinds (name text, lane smallint, checks jsonb, priority smallint);
    insert into evil.kinds values ('evil', 1, null, 5);
    grant usage on schema evil to public; grant insert on evil.caught to public;
    """


async def test_nothing_of_a_producers_own_runs_as_the_owner(cast: Cast) -> None:
    """Its functions, operators and tables stand before ours and Postgres' own in its search path."""
    await cast.owner.execute("create schema evil authorization s_producer")
    await cast.producer.execute(EVIL)
    await cast.producer.execute(
        "create temp table kinds as table evil.kinds; create temp table meta (name text, value text);"
        "create temp table jobs (id bigint); create temp table new_jobs (id bigint, kind text)"
    )
    checked = [{"key": "n", "required": True, "types": ["integer"]}]
    await Desk(cast.owner).publish("checked", checks=checked)
    await cast.producer.execute("set search_path = evil, pg_temp, pg_catalog, bellhand")
    assert await cast.producer.fetchval("select 'a'::text = 'b'::text"), "the trap does not work"
    ours = await cast.owner.fetchval("select count(*) from evil.caught where who = 's_producer'")
    assert ours == 1
    first = await insert(cast.producer, "a")
    for statement, error in (
        ("insert into bellhand.jobs (kind) values ('evil')", "BH001"),
        ("select bellhand.enqueue('evil')", "BH001"),
        ("select bellhand.enqueue('checked', '{}')", "BH002"),
        ("insert into bellhand.jobs (kind, payload) values ('checked', '{\"n\": \"x\"}')", "BH002"),
        ("select bellhand.enqueue('checked', '{\"n\": 1}', unique_key => 'k')", None),
        ("select bellhand.enqueue('checked', '{\"n\": 1}', unique_key => 'k')", None),
        ("select bellhand.enqueue_many('[{\"kind\": \"a\"}, {\"kind\": \"a\", \"unique_key\": \"u\"}]')", None),
        (f"select bellhand.enqueue('a', depends_on => array[{first}])", None),
        ("insert into bellhand.jobs (kind, run_at) values ('a', pg_catalog.now() + interval '1 hour')", None),
        ("insert into bellhand_sites.businesses (website) values ('http://a.test')", None),
        ("update bellhand_sites.businesses set website = 'http://b.test'", None),
        ("select bellhand_sites.enqueue_checks(array[1::bigint])", "BH001"),
        ("select bellhand_sites.enqueue_unchecked()", "BH001"),
        ("select bellhand_sites.enqueue_stale('1 day')", "BH001"),
    ):  # fmt: skip
        assert await sqlstate_of(cast.producer, statement) == error, statement
    caught = await cast.owner.fetch(
        "select distinct what, who from evil.caught where who <> 's_producer'"
    )
    assert [tuple(row) for row in caught] == []
    assert await cast.owner.fetchval("select count(*) from bellhand.jobs") == 6


WORTH = {
    "jsonb[]": "array['{}'::jsonb]",
    "bigint": "1", "integer": "1", "smallint": "1::smallint", "text": "'a'", "boolean": "true", "uuid": "gen_random_uuid()",
    "jsonb": "'[]'::jsonb", "double precision": "1.0", "real": "1.0", "numeric": "1", "xid8": "'3'::xid8",
    "timestamp with time zone": "now()", "bigint[]": "array[1, 2, 3, 4]::bigint[]", "integer[]": "array[1, 1, 2, 2]", "real[]": "array[1, 1, 1, 1]::real[]",
    "timestamp with time zone[]": "array[now(), now(), now(), now()]",
    "bytea[]": "array['x'::bytea]",     "uuid[]": "array[gen_random_uuid()]", "text[]": "array['a', 'cancel', 'retry', 'fail']", "smallint[]": "array[1, 1, 1, 1]::smallint[]", "xid8[]": "array['3', '3', '3', '3']::xid8[]",
    "boolean[]": "array[true, true, true, true]", "double precision[]": "array[0, 0, 0, 0]::float8[]", "interval": "'1 s'",
    "time without time zone": "'08:00'::time", "bytea": "sha256('x')", "pg_snapshot": "'3:3:'::pg_snapshot",
    "bellhand.all_jobs": "null::bellhand.all_jobs", "bellhand.lanes": "null::bellhand.lanes", "bellhand.outlook": "null::bellhand.outlook",
}  # fmt: skip
EVERYTHING = """
    select md5(string_agg(x, ',' order by x)) from (
      select 'j' || j::text from bellhand.jobs j union all select 'q' || q::text from bellhand.queue q union all select 's' || s::text from bellhand.scheduled s
      union all select 'p' || p::text from bellhand.parked p union all select 'h' || h::text from bellhand.history h union all select 'm' || m::text from bellhand.meta m
      union all select 'k' || k::text from bellhand.kinds k union all select 'l' || l::text from bellhand.lanes l union all select 'w' || w::text from bellhand.workers w
      union all select 'd' || d::text from bellhand.dependencies d union all select 'e' || e::text from bellhand.events e union all select 'b' || b::text from bellhand_sites.businesses b
      union all select 'c' || c::text from bellhand_seo.crawls c union all select 'g' || g::text from bellhand_seo.pages g
      union all select 'n' || n::text from bellhand.channels n union all select 'x' || x::text from bellhand.channel_secrets x
      union all select 'u' || u::text from bellhand.subscriptions u union all select 't' || t::text from bellhand.notices t
      union all select 'y' || y::text from bellhand_crm.messages y union all select 'z' || z::text from bellhand_crm.suppressions z
      union all select 'i' || i::text from bellhand_crm.payments i union all select 'o' || o::text from bellhand_crm.sources o
      union all select 'r' || r::text from bellhand_crm.syncs r union all select 'v' || v::text from bellhand_crm.customers v
      union all select 'f' || f::text from bellhand.tickets f union all select 'z' || z::text from bellhand.totals z
      union all select 'F' || f::text from bellhand.failures f union all select 'O' || o::text from bellhand.operations o
      union all select 'R' || r::text from bellhand.run_times r union all select 'V' || v::text from bellhand.looks v
      union all select 'a' || last_value from bellhand.asleep_until) x(x)"""


async def test_no_function_changes_anything_for_those_who_may_not(cast: Cast) -> None:
    """Every function of ours is called by every role but the worker, with arguments that name real jobs."""
    await cast.owner.execute(
        "insert into bellhand.jobs (kind) select 'a' from generate_series(1, 4)"
    )
    await cast.owner.execute(
        "select bellhand.pause(1); select bellhand.finish(array[2::bigint], 'failed')"
    )
    await cast.owner.execute(
        "insert into bellhand.jobs (kind, run_at) values ('a', now() + interval '1 day')"
    )
    functions = await cast.owner.fetch(
        "select p.oid::regproc::text as name, array(select format_type(t, null) from unnest(p.proargtypes) with ordinality x(t, n) order by n) as types"
        f" from pg_proc p join pg_namespace n on n.oid = p.pronamespace where {OF_OURS} and p.prorettype <> 'trigger'::regtype and p.prokind = 'f'"
    )
    assert len(functions) > 50
    before = await cast.owner.fetchval(EVERYTHING)
    for who in (cast.stranger, cast.reader, cast.producer):
        for function in functions:
            if who is cast.producer and "enqueue" in function["name"]:
                continue
            arguments = ", ".join(WORTH[one] for one in function["types"])
            call = f"select * from {function['name']}({arguments})"
            assert await sqlstate_of(who, call) != "42883", f"no such function: {call}"
            assert await cast.owner.fetchval(EVERYTHING) == before, call


# Other people's jobs


async def test_there_are_no_tenants_and_an_owner_is_a_label(cast: Cast) -> None:
    """docs/security.md says so: whoever may insert sees which jobs live, whoever may read sees all."""
    job = await insert(cast.owner, "a", '{"secret": 1}', owner="somebody", unique_key="business:1")
    seen = await cast.producer.fetch("select id, key, kind, unique_key from bellhand.jobs")
    assert [(row["id"], row["unique_key"]) for row in seen] == [(job, "business:1")]
    for column in ("payload", "owner", "tags", "state", "error", "progress", "source"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await cast.producer.execute(f"select {column} from bellhand.jobs")
    same = await cast.producer.fetchrow(
        "select * from bellhand.enqueue('a', unique_key => 'business:1', owner => 'else')"
    )
    assert (same["id"], same["created"]) == (job, False)
    row = await cast.reader.fetchrow("select owner, payload::text from bellhand.all_jobs")
    assert (row["owner"], row["payload"]) == ("somebody", '{"secret": 1}')
    walled = (
        "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace where "
        + OF_OURS
        + " and relrowsecurity"
    )
    assert await cast.owner.fetchval(walled) == 0
