"""What the jobs of the crm family are asked to do; the names are those that apps have (seed 004)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Id = Annotated[str, Field(min_length=1, max_length=200)]
BATCH_CUSTOMERS = 20_000
Format = Literal["html", "pdf", "xlsx"]
Key = Annotated[str | None, Field(min_length=1, max_length=200)]


class Payload(BaseModel):
    """Names as in the payload; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")


class Promotion(Payload):
    """A promotion to a customer, who gets it once."""

    customer_id: Id = Field(alias="customerId", examples=["customer-1042"])
    promotion_id: Id = Field(alias="promotionId", examples=["spring-sale"])


class Opportunity(Payload):
    """The offer of an opportunity, once for each status that it is in."""

    opportunity_id: Id = Field(alias="opportunityId", examples=["opportunity-7"])


class ReviewRequest(Payload):
    """A review that is asked for once."""

    review_id: Id = Field(alias="reviewId", examples=["review-31"])


class Letter(Payload):
    """What to write to a customer; with a `key`, once for that key, whatever job asks; else once a job."""

    customer_id: Id = Field(alias="customerId", examples=["customer-1042"])
    subject: str = Field(min_length=1, max_length=200, examples=["Your appointment on Friday"])
    message: str = Field(min_length=1, max_length=20_000, examples=["See you at ten."])
    url: str | None = Field(default=None, max_length=2000, pattern=r"^https?://[!-~]+$")
    key: Key = None


class Payment(Payload):
    """What to charge whom for: `amount` in the smallest unit of the currency (ISO 4217), `key` what it pays, such as an invoice.

    There is one payment for a key, whatever jobs ask. Without `paymentMethod` the customer's own is charged. With `returnUrl` the
    customer may be asked to confirm it, and comes back there.
    """

    customer_id: Id = Field(alias="customerId", examples=["customer-1042"])
    key: Id = Field(examples=["invoice-2026-117"])
    amount: int = Field(ge=1, le=99_999_999_999, examples=[4900])
    currency: str = Field(pattern=r"^[A-Za-z]{3}$", examples=["EUR"])
    payment_method: Key = Field(default=None, alias="paymentMethod")
    return_url: str | None = Field(
        default=None, alias="returnUrl", max_length=2000, pattern=r"^https?://[!-~]+$"
    )
    description: str | None = Field(default=None, max_length=500)


class GiveBack(Payload):
    """Which payment to give back, and how much of it: else all that is left. One refund for a `key`, else one for the payment."""

    payment_key: Id = Field(alias="paymentKey", examples=["invoice-2026-117"])
    key: Key = None
    amount: int | None = Field(default=None, ge=1, le=99_999_999_999)


class Sync(Payload):
    """The name of a source in bellhand_crm.sources."""

    source: Id = Field(examples=["shop"])


class Cleanup(Payload):
    """How old data must be, how much of it one statement takes, and whether only to count it."""

    days: int = Field(default=30, ge=1, le=36_500)
    batch_rows: int = Field(default=1000, ge=1, le=100_000)
    dry_run: bool = Field(default=False, alias="dryRun")


class Scan(Payload):
    """How many opportunities to look at in one go."""

    opportunities_max: int = Field(default=500, ge=1, le=10_000)


class Analytics(Payload):
    """Whether to count everybody anew, and how many customers one commit takes otherwise."""

    rebuild: bool = False
    batch_customers: int = Field(default=BATCH_CUSTOMERS, ge=1, le=100_000)


class Reporting(Payload):
    """What to write, about how many customers at most, and how many reports of each format to keep."""

    formats: list[Format] = Field(default=["html"], min_length=1, max_length=3)
    customers_max: int = Field(default=10_000, ge=1, le=100_000)
    reports_kept: int = Field(default=30, ge=1, le=1000)
