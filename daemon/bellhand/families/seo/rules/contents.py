"""Duplicates, thin pages, images, structured data and what social networks show."""

from collections.abc import Iterator

from ..likeness import groups
from ..views import EXAMPLES_MAX, Evidence, Page, Site, others
from .rule import Rule

WORDS_MIN = 100
WORDS_EMPTY = 10
WORDS_COMPARED_MIN = 30
IMAGES_EAGER_MAX = 20
_OPEN_GRAPH = ("og:title", "og:type", "og:image", "og:url")


def duplicate(site: Site) -> Iterator[tuple[int, Evidence]]:
    for group in site.groups("text_hash"):
        if group[0].words >= WORDS_EMPTY:
            for page in group:
                yield page.id, {**others(group, page)}


def near_duplicate(site: Site) -> Iterator[tuple[int, Evidence]]:
    marks = (
        (page.id, page.simhash)
        for page in site.pages.values()
        if page.indexable and page.words >= WORDS_COMPARED_MIN and page.simhash
    )
    for ids in groups(marks):
        group = [site.pages[number] for number in ids]
        if len({page.text_hash for page in group}) == 1:
            continue  # equal, not alike
        for page in group:
            yield page.id, {**others(group, page)}


def thin(page: Page) -> Evidence | None:
    found = page.indexable
    return {"words": found.words} if found and WORDS_EMPTY <= found.words < WORDS_MIN else None


def empty(page: Page) -> Evidence | None:
    found = page.indexable
    return {"words": found.words} if found and found.words < WORDS_EMPTY else None


def image_alt(page: Page) -> Evidence | None:
    found = page.html
    if not found or not found.images_without_alt:
        return None
    return {"images": list(found.images_without_alt_list), "count": found.images_without_alt}


def image_size(page: Page) -> Evidence | None:
    found = page.html
    return {"count": found.images_without_size} if found and found.images_without_size else None


def image_large(page: Page) -> Evidence | None:
    found = page.html
    return {"images": list(found.images_large)} if found and found.images_large else None


def image_old(page: Page) -> Evidence | None:
    found = page.html
    return {"images": list(found.images_old)} if found and found.images_old else None


def images_eager(page: Page) -> Evidence | None:
    found = page.html
    if not found or found.images_lazy or found.images <= IMAGES_EAGER_MAX:
        return None
    return {"images": found.images}


def data_invalid(page: Page) -> Evidence | None:
    found = page.html
    return (
        {"errors": list(found.data_errors)[:EXAMPLES_MAX]} if found and found.data_errors else None
    )


def data_missing(page: Page) -> Evidence | None:
    found = page.html
    return {"missing": list(found.data_missing)} if found and found.data_missing else None


def data_advised(page: Page) -> Evidence | None:
    found = page.html
    return {"missing": list(found.data_advised)} if found and found.data_advised else None


def data_none(page: Page) -> Evidence | None:
    found = page.indexable
    return {} if found and not (found.data_types or found.data_errors) else None


def social_none(page: Page) -> Evidence | None:
    found = page.indexable
    return {} if found and not found.open_graph else None


def social_incomplete(page: Page) -> Evidence | None:
    found = page.indexable
    if not found or not found.open_graph:
        return None
    missing = [name for name in _OPEN_GRAPH if name not in dict(found.open_graph)]
    return {"missing": missing} if missing else None


def social_image(page: Page) -> Evidence | None:
    found = page.indexable
    image = dict(found.open_graph).get("og:image", "") if found else ""
    return (
        {"image": image}
        if image and not image.lower().startswith(("http://", "https://"))
        else None
    )


def social_card(page: Page) -> Evidence | None:
    found = page.indexable
    return {} if found and "twitter:card" not in dict(found.twitter) else None


RULES = (
    Rule(
        "duplicate", "duplicates", "error", "Same text as another page",
        "Engines show one of equal pages, and not always the one you would choose.",
        "Keep one and redirect the others, or name one as canonical.", check_site=duplicate,
    ),
    Rule(
        "near-duplicate", "duplicates", "warning", "Nearly the same text as another page",
        "Pages that differ in a few words compete with each other.",
        "Join them, write what is special about each, or name a canonical.", check_site=near_duplicate,
    ),
    Rule(
        "thin", "duplicates", "notice", "Little text",
        f"Fewer than {WORDS_MIN} words seldom answer a question.",
        "Add what a visitor would ask next, or join it with a related page.", thin,
    ),
    Rule(
        "empty", "duplicates", "warning", "Hardly any text",
        "Without scripts the page is empty, or it never had content; both rank for nothing.",
        "Deliver the text in the HTML, or keep the page out of the index.", empty,
    ),
    Rule(
        "image-alt", "images", "warning", "Images without alt text",
        "Who cannot see an image gets its file name, and image search has nothing to go by.",
        'Describe what the image shows; write alt="" where it is decoration.', image_alt,
    ),
    Rule(
        "image-size", "images", "notice", "Images without width and height",
        "The text jumps when they arrive (cumulative layout shift).",
        "Write width and height attributes, or set aspect-ratio.", image_size,
    ),
    Rule(
        "image-large", "images", "notice", "Images larger than any screen needs",
        "Visitors pay for pixels they never see; images inside the HTML delay the text.",
        "Scale them down, use srcset, and files instead of data: addresses.", image_large,
    ),
    Rule(
        "image-old", "images", "notice", "Images in an old format",
        "BMP and TIFF are many times as large as WebP or AVIF, and some browsers show none of it.",
        "Convert them.", image_old,
    ),
    Rule(
        "images-eager", "images", "notice", "Many images load at once",
        f"More than {IMAGES_EAGER_MAX} images compete for the line although most are out of sight.",
        'Write loading="lazy" on images below the first screen.', images_eager,
    ),
    Rule(
        "data-invalid", "structured-data", "error", "Structured data cannot be read",
        "A single wrong comma voids the whole block.",
        "Correct it; the evidence has the place of the first fault.", data_invalid,
    ),
    Rule(
        "data-missing", "structured-data", "warning", "Structured data lacks what it needs",
        "Without these properties there is no rich result.",
        "Add them, with what the page itself shows.", data_missing,
    ),
    Rule(
        "data-advised", "structured-data", "notice", "Structured data could say more",
        "These properties make a result richer.",
        "Add those the page has anyway.", data_advised,
    ),
    Rule(
        "data-none", "structured-data", "notice", "No structured data",
        "Prices, stars, breadcrumbs and questions in results come from structured data.",
        "Add JSON-LD of the type that fits: Organization, Product, Article, BreadcrumbList.", data_none,
        whole_site=True,
    ),
    Rule(
        "social-none", "social", "notice", "Nothing for social networks",
        "A shared link shows a guessed title and picture.",
        "Add og:title, og:type, og:image and og:url.", social_none, whole_site=True,
    ),
    Rule(
        "social-incomplete", "social", "notice", "Open Graph incomplete",
        "Title, type, image and address are required by the protocol (ogp.me).",
        "Add what is missing.", social_incomplete,
    ),
    Rule(
        "social-image", "social", "warning", "Picture for social networks is no full address",
        "Networks do not resolve relative addresses: no picture is shown.",
        "Write og:image with https:// and the host.", social_image,
    ),
    Rule(
        "social-card", "social", "notice", "No twitter:card",
        "Without it X shows a bare link.",
        'Add <meta name="twitter:card" content="summary_large_image">.', social_card, whole_site=True,
    ),
)  # fmt: skip
