"""What is done with every page on either side, by the very same code."""

from bellhand.families.sites.emails import find_emails
from bellhand.families.sites.markup import read
from bellhand.families.sites.phones import find_phones
from bellhand.families.sites.regions import regions
from bellhand.families.sites.socials import find_socials


class Tally:
    """How much was found; equal sums show that both did the same."""

    def __init__(self, extract: bool) -> None:
        self.extract = extract
        self.pages = self.characters = self.emails = self.phones = self.socials = 0

    def page(self, html: str, url: str) -> None:
        """Parse a page, and search it for addresses, numbers and profiles if that is asked for."""
        markup = read(html)
        self.pages += 1
        self.characters += len(markup.text)
        if self.extract:
            self.emails += len(find_emails(markup))
            self.phones += len(find_phones(markup, regions(markup, url, None)))
            self.socials += len(find_socials(markup))

    def result(self, seconds: float, cpu_seconds: float) -> dict[str, float]:
        """The figures, as one line of JSON holds them."""
        return {
            "seconds": seconds, "cpu_seconds": cpu_seconds, "pages": self.pages,
            "characters": self.characters, "emails": self.emails, "phones": self.phones,
            "socials": self.socials,
        }  # fmt: skip
