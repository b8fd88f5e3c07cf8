"""Word lists of the leads family: whose ground a website stands on, what a name says nothing by."""


def words(text: str) -> frozenset[str]:
    """A set of the words of a text."""
    return frozenset(text.split())


# Directories, social networks and portals: a page there is not the business's own site.
ELSEWHERE = words("""
    about.me agoda.com airbnb.com angi.com behance.net booking.com bsky.app carrd.co checkatrade.com
    clutch.co doctolib.de doctolib.fr doordash.com dribbble.com etsy.com expedia.com facebook.com
    fb.com fb.me fiverr.com foodpanda.com foursquare.com gelbeseiten.de github.com glassdoor.com
    goo.gl google.com grubhub.com homeadvisor.com hotels.com houzz.com indeed.com indiamart.com
    instagram.com jameda.de justdial.com lieferando.de linkedin.com linktr.ee manta.com mapquest.com
    medium.com messenger.com nextdoor.com opentable.com pagesjaunes.fr patreon.com pinterest.com
    practo.com quora.com reddit.com skype.com snapchat.com soundcloud.com sulekha.com t.me
    telegram.me thefork.com threads.net thumbtack.com tiktok.com tripadvisor.com trustpilot.com
    tumblr.com twitter.com uber.com ubereats.com upwork.com vimeo.com vk.com wa.me whatsapp.com
    wikipedia.org x.com xing.com yell.com yellowpages.com yelp.com youtu.be youtube.com zomato.com
""")
# The same under any suffix: google.de, yelp.co.uk.
ELSEWHERE_ANYWHERE = words("""
    airbnb booking facebook google tripadvisor ubereats yelp
""")
# Builders whose customers have a name below theirs, although the public suffix list does not say so.
BUILDERS = words("""
    blogspot.com business.site jimdosite.com webnode.page weebly.com wordpress.com
""")
# Legal forms say nothing about which business it is; at the end of a name they are left away.
LEGAL = words("""
    ab ag aps as bhd bv co company corp corporation doo eirl eood est gbr gmbh inc incorporated kft
    kg kk lc limitada limited llc llp lp ltd ltda nv ohg oy oyj pc plc pllc private pte pty pvt sa
    sarl sas sdn se sl slu spa spzoo srl sro ug
""")
# Words that many names share: two names that agree in nothing else are not alike.
COMMON = words("""
    a an and at by das de del der des di die du e el et fur i il in la las le les lo los of on the
    und y
""")
