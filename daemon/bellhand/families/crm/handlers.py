"""The kinds of the crm family: what a mail is about, and then sending.py."""

from __future__ import annotations

from functools import partial
from typing import Any

from bellhand.job import Job
from bellhand.kinds import job_kind
from bellhand.outcomes import Cancelled, Failed, Snooze

from .paying import pay
from .payloads import (
    Cleanup,
    GiveBack,
    Letter,
    Opportunity,
    Payment,
    Promotion,
    ReviewRequest,
    Scan,
    Sync,
)
from .refunding import give_back
from .sending import Draft, row, send
from .syncing import sync
from .texts import Link

OPEN = ("new", "qualified", "proposal")
# A server that puts mail off may do so for hours.
mail_kind = partial(
    job_kind,
    lane="crm",
    attempts_max=10,
    backoff_base_seconds=60,
    backoff_max_seconds=14_400,
    side_effects="external",
)
payment_kind = partial(
    job_kind, lane="crm", attempts_max=10, backoff_base_seconds=30, backoff_max_seconds=3600, timeout_seconds=600,
    side_effects="keyed",
)  # fmt: skip


@mail_kind("crm.send_promotion")
async def send_promotion(args: Promotion, job: Job) -> dict[str, Any]:
    """Mail a promotion to a customer who has agreed to such mail."""
    promotion = await row(job, "promotion", args.promotion_id)
    if promotion is None:
        raise Failed(f"there is no promotion {args.promotion_id} in bellhand_crm.promotions")
    if promotion["over"]:
        raise Cancelled(f"promotion {promotion['id']} is over")
    if (promotion["starts_in_seconds"] or 0) > 0:
        raise Snooze(promotion["starts_in_seconds"], "the promotion has not begun")
    draft = Draft(
        "promotion", args.customer_id, promotion["id"], promotion["subject"], promotion["body"],
        link=_link(promotion["url"], "See the offer"),
    )  # fmt: skip
    return await send(job, draft)


@mail_kind("crm.process_opportunity_offer")
async def process_opportunity_offer(args: Opportunity, job: Job) -> dict[str, Any]:
    """Mail the offer of an opportunity that is still open."""
    found = await row(job, "opportunity", args.opportunity_id)
    if found is None:
        raise Failed(f"there is no opportunity {args.opportunity_id} in bellhand_crm.opportunities")
    if found["status"] not in OPEN:
        raise Cancelled(f"opportunity {found['id']} is {found['status']}")
    opportunity = {"title": found["title"], "value": f"{found['estimated_value']:,f}"}
    draft = Draft(
        "offer", found["customer_id"], f"{found['id']} {found['status']}", found["title"], found["offer"],
        link=_link(found["url"], "See the offer"), names=(("opportunity", opportunity),),
    )  # fmt: skip
    return await send(job, draft)


@mail_kind("crm.send_review_request")
async def send_review_request(args: ReviewRequest, job: Job) -> dict[str, Any]:
    """Ask a customer for a review, unless there is one."""
    review = await row(job, "review", args.review_id)
    if review is None:
        raise Failed(f"there is no review {args.review_id} in bellhand_crm.reviews")
    if review["reviewed_at"] is not None:
        raise Cancelled(f"review {review['id']} has been written")
    draft = Draft(
        "review_request", review["customer_id"], review["id"], "How was it?", "",
        about=review["about"], template="review_request", link=Link(review["url"], "Write a review"),
    )  # fmt: skip
    return await send(job, draft)


@mail_kind("crm.send_reminder")
async def send_reminder(args: Letter, job: Job) -> dict[str, Any]:
    """Remind a customer of something of theirs; in the night it waits for the morning."""
    return await send(job, _letter("reminder", args, job, patient=True))


@mail_kind("crm.send_notification", priority=7)
async def send_notification(args: Letter, job: Job) -> dict[str, Any]:
    """Tell a customer something at once, at any hour."""
    return await send(job, _letter("notification", args, job, patient=False))


@payment_kind("crm.process_payment", priority=7)
async def process_payment(args: Payment, job: Job) -> dict[str, Any]:
    """Charge a customer once for what the key names, by Stripe."""
    return await pay(job, args)


@payment_kind("crm.refund_payment")
async def refund_payment(args: GiveBack, job: Job) -> dict[str, Any]:
    """Give a payment back, or a part of it, once."""
    return await give_back(job, args)


@job_kind(
    "crm.sync_customer_data", lane="crm", attempts_max=10,
    backoff_base_seconds=30, backoff_max_seconds=3600, timeout_seconds=None, side_effects="none",
)  # fmt: skip
async def sync_customer_data(args: Sync, job: Job) -> dict[str, Any]:
    """Take in the customers of an HTTP source, page by page, and delete softly those it has no more."""
    return await sync(job, args.source)


@job_kind("crm.process_opportunities", lane="crm", timeout_seconds=300, side_effects="none")
async def process_opportunities(args: Scan, job: Job) -> dict[str, Any]:
    """Enqueue the offers of open opportunities, the most valuable first; made for a schedule."""
    found = await row(job, "enqueue_offers", args.opportunities_max)
    return {"queued": found["queued"]}


@job_kind(
    "crm.cleanup_old_data",
    lane="crm",
    priority=3,
    attempts_max=3,
    timeout_seconds=3600,
    side_effects="none",
)
async def cleanup_old_data(args: Cleanup, job: Job) -> dict[str, Any]:
    """Take names, addresses and words out of old mails and deleted customers, old reports and passes away, batch by batch."""
    if args.dry_run:
        found = await row(job, "erasable", args.days)
        return {"dry_run": True, **dict(found)}
    erased = {"messages": 0, "customers": 0, "reports": 0, "syncs": 0}
    for what in erased:
        batch = args.batch_rows
        while batch == args.batch_rows:
            job.check()
            batch = (await row(job, f"erase_{what}", args.days, args.batch_rows))["erased"]
            erased[what] += batch
            job.progress(done=sum(erased.values()), stage=what)
    return {"dry_run": False, **erased}


def _letter(purpose: str, args: Letter, job: Job, *, patient: bool) -> Draft:
    return Draft(
        purpose, args.customer_id, args.key or f"job {job.key}", args.subject, args.message,
        link=_link(args.url, "Open"), promotional=False, patient=patient,
    )  # fmt: skip


def _link(url: str | None, label: str) -> Link | None:
    return Link(url, label) if url else None
