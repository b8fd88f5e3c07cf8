"""Which page is where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web

from bellhand.dashboard.completion import Completion
from bellhand.dashboard.editing import Editing
from bellhand.dashboard.failures import Failures
from bellhand.dashboard.files import Files
from bellhand.dashboard.job import JobPage
from bellhand.dashboard.jobs import Jobs
from bellhand.dashboard.kinds import Kinds
from bellhand.dashboard.lane import Lanes
from bellhand.dashboard.overview import Overview
from bellhand.dashboard.results import Results
from bellhand.dashboard.reveal import Reveal
from bellhand.dashboard.runbooks import Runbooks
from bellhand.dashboard.schedules import Schedules
from bellhand.dashboard.site import ACT_SECONDS, Handler, Site
from bellhand.dashboard.system import System
from bellhand.dashboard.views import Views
from bellhand.dashboard.workers import Workers


def routes(
    site: Site,
    settings: dict[str, Any],
    origins: Sequence[tuple[str, str, str]] = (),
    *,
    beside: Callable[[Handler], Handler] = lambda page: page,
) -> list[web.RouteDef]:
    """Every page and act; `settings` are those of the daemon without secrets, `origins` where each is from.

    `beside` makes of the page of a job what answers for programs and terminals too.
    """
    editing = Editing(site)
    overview, jobs, job, kinds = (
        Overview(site, settings),
        Jobs(site),
        JobPage(site, settings),
        Kinds(site),
    )
    files = Files(job)
    failures, results = Failures(site, jobs), Results(site)
    schedules, system = Schedules(site), System(site, settings, origins)
    workers, runbooks = Workers(site, settings), Runbooks(site)
    lanes, completion, views = Lanes(site, settings), Completion(site), Views(site)
    pages = {
        "/": overview.show, "/jobs": jobs.show, "/jobs/words": completion.show, r"/jobs/{job}/{part:job|payload|result}.json": files.show, "/failures": failures.show, "/failures/{fingerprint}": failures.one,
        "/lanes": lanes.show, "/lanes/{lane}": lanes.one, "/lanes/{lane}/forecast": lanes.foretell, "/kinds": kinds.show, "/kinds/{kind}": kinds.form, "/schedules": schedules.show, "/workers": workers.show, "/workers/{worker}/drain": workers.plan,
        "/system": system.show, "/runbooks": runbooks.list, "/leads": results.leads, "/matching": results.matching, "/sites": results.sites, "/seo": results.seo, "/crm": results.mail,
        "/seo/{crawl}": results.seo_report, "/kinds/{kind}/quote": kinds.quote,
    }  # fmt: skip
    acts = {
        "/jobs/{job}/priority": job.reprioritize, "/jobs/{job}/ticket": job.ticket, "/jobs/{job}/edit": editing.edit, "/jobs/{job}/{action}": job.act, r"/kinds/{kind}/{action:pause|resume}": kinds.pause,
        r"/lanes/{lane}/{action:pause|resume}": lanes.switch, "/schedules/{schedule}/run": schedules.run,
        r"/schedules/{schedule}/{action:pause|resume}": schedules.switch, "/lanes/{lane}/limits": lanes.limit, "/workers/{worker}/drain": workers.drain, "/workers/{worker}/undrain": workers.undrain, "/views": views.save, "/views/remove": views.remove,
        "/failures/{fingerprint}/mute": failures.mute, r"/matching/{match:\d{1,18}}/{verdict}": results.review,
    }  # fmt: skip
    long = {"/jobs/bulk": jobs.bulk, r"/operations/{operation:\d{1,18}}/undo": failures.undo}
    return [
        *(web.get(path, site.shown(handler)) for path, handler in pages.items()),
        web.get("/jobs/{job}", beside(site.shown(job.show))),
        *(web.post(path, site.shown(act, "operate", ACT_SECONDS)) for path, act in long.items()),
        web.post("/jobs/{job}/purge", site.shown(editing.purge, "admin")),
        web.post("/jobs/{job}/reveal", site.shown(Reveal(site, settings).show, "admin")),
        *(web.post(path, site.shown(handler, "operate")) for path, handler in acts.items()),
        web.post("/kinds/{kind}", site.shown(kinds.enqueue, "enqueue")),
        web.get("/system/rules.yml", runbooks.rules),
        web.get("/assets/{name}", site.assets.serve),
        web.post("/preferences", site.preferences),
    ]
