"""Social profiles: every spelling of a profile is one profile, a share button is none."""

import pytest

from bellhand.families.sites.markup import read
from bellhand.families.sites.socials import find_socials, profile

PROFILES = """
https://www.facebook.com/Acme facebook acme
http://facebook.com/acme/ facebook acme
https://m.facebook.com/acme?ref=ts&fref=ts facebook acme
https://en-gb.facebook.com/acme/about facebook acme
//www.facebook.com/acme facebook acme
facebook.com/acme facebook acme
https://fb.me/acme facebook acme
https://www.facebook.com/#!/acme facebook acme
https://www.facebook.com/pages/Acme-Ltd/119900381388258 facebook 119900381388258
https://www.facebook.com/pages/Austin-TX/Acme/271621175098?sk=wall facebook 271621175098
https://www.facebook.com/pages/category/Shop/Acme-119900381388258/ facebook 119900381388258
https://www.facebook.com/profile.php?id=100012345678 facebook 100012345678
https://www.facebook.com/people/Acme/100012345678/ facebook 100012345678
https://www.facebook.com/p/Acme-Ltd-100012345678/ facebook 100012345678
https://www.facebook.com/groups/acme.friends facebook acme.friends
https://www.instagram.com/acme.official/?hl=en instagram acme.official
https://instagram.com/@acme instagram acme
https://twitter.com/Acme x acme
https://www.twitter.com/@acme x acme
https://twitter.com/#!/acme x acme
https://twitter.com/#%21/acme x acme
https://mobile.twitter.com/acme x acme
https://x.com/acme?s=20 x acme
https://twitter.com/intent/user?screen_name=acme x acme
https://www.linkedin.com/company/acme-ltd/ linkedin company/acme-ltd
https://de.linkedin.com/in/jane-miller-1a2b linkedin in/jane-miller-1a2b
https://www.linkedin.com/company/acme/about/ linkedin company/acme
https://ca.linkedin.com/pub/greg-s/58/203/50b?trk=x linkedin pub/greg-s/58/203/50b
https://www.linkedin.com/school/acme-college linkedin school/acme-college
https://www.youtube.com/user/AcmeTV?feature=watch youtube user/AcmeTV
https://www.youtube.com/channel/UCZ1SHbmkAgqDbMV9G6UZuUw youtube channel/UCZ1SHbmkAgqDbMV9G6UZuUw
https://youtube.com/@acme/videos youtube @acme
https://www.youtube.com/c/acme/featured youtube c/acme
https://www.youtube.com/acmetv youtube acmetv
https://www.tiktok.com/@acme?lang=en tiktok acme
https://www.pinterest.com/acme/ pinterest acme
https://www.pinterest.co.uk/acme/board-one/ pinterest acme
https://www.threads.net/@acme threads acme
https://bsky.app/profile/acme.bsky.social bluesky acme.bsky.social
https://www.snapchat.com/add/acme snapchat acme
https://wa.me/4915112345678 whatsapp 4915112345678
https://api.whatsapp.com/send?phone=+49%20151%2012345678 whatsapp 4915112345678
https://t.me/acme_news telegram acme_news
https://www.xing.com/companies/acme xing companies/acme
https://vimeo.com/acmefilms vimeo acmefilms
https://www.flickr.com/photos/acme/ flickr acme
https://acme.tumblr.com/ tumblr acme
https://www.yelp.com/biz/acme-austin yelp acme-austin
https://www.reddit.com/r/acme/ reddit r/acme
https://github.com/acme github acme
https://medium.com/@acme medium @acme
""".strip().splitlines()

NO_PROFILES = """
https://www.facebook.com/
https://www.facebook.com/sharer/sharer.php?u=https%3A%2F%2Facme.com
https://www.facebook.com/sharer.php?u=acme.com&t=x
https://www.facebook.com/share.php?u=acme.com
https://www.facebook.com/dialog/share?app_id=1
https://www.facebook.com/plugins/like.php?href=acme.com
https://www.facebook.com/tr?id=123&ev=PageView
https://www.facebook.com/acme/posts/10152065629387681
https://www.facebook.com/events/123456
https://www.facebook.com/photo.php?fbid=1
https://www.facebook.com/hashtag/acme
https://www.facebook.com/profile.php
https://www.facebook.com/wix
https://www.facebook.com/yourpage
https://twitter.com/
https://twitter.com/share?url=x
https://twitter.com/intent/tweet?text=x
https://twitter.com/home?status=x
https://twitter.com/hashtag/acme
https://twitter.com/search?q=acme
https://twitter.com/acme/status/1234567890
https://x.com/i/flow/login
https://www.linkedin.com
https://www.linkedin.com/shareArticle?mini=true&url=x
https://www.linkedin.com/sharing/share-offsite/?url=x
https://www.linkedin.com/uas/login
https://www.youtube.com/watch?v=R0OvGnndFTU
https://www.youtube.com/embed/R0OvGnndFTU
https://www.youtube.com/playlist?list=PL5306CED3FE5CAFE2
https://youtu.be/S1cmhjQP9kU
https://www.instagram.com/p/B1234567890/
https://www.instagram.com/explore/tags/acme/
https://www.pinterest.com/pin/create/button/?url=x
https://wa.me/?text=hello
https://api.whatsapp.com/send?text=hello
https://t.me/share/url?url=x
https://telegram.me/share/url?url=x
https://vimeo.com/63654774
https://www.tumblr.com/share/link?url=x
https://www.reddit.com/submit?url=x
https://github.com/acme/repo
https://medium.com/p/1a2b3c
https://facebook.acme.com/acme
https://notfacebook.com/acme
https://acme.com/facebook.com/acme
mailto:facebook@acme.com
javascript:window.open('https://twitter.com/acme')
https://www.facebook.com/%00acme
https://[bad
#
""".strip().splitlines()


@pytest.mark.parametrize("line", PROFILES)
def test_a_profile_is_known_by_network_and_handle(line):
    address, network, handle = line.split()
    social = profile(address)
    assert social is not None
    assert (social.network, social.handle) == (network, handle)
    again = profile(social.url)
    assert again == social, "the usual address leads to the same profile"


@pytest.mark.parametrize("address", NO_PROFILES)
def test_share_links_posts_and_strangers_are_no_profiles(address):
    assert profile(address) is None


def test_every_profile_of_a_page_is_told_once_in_its_order():
    page = read("""
        <a href="https://twitter.com/acme">X</a><a href="https://facebook.com/Acme/">f</a>
        <a href="https://www.facebook.com/sharer.php?u=x">share</a>
        <a href="http://www.facebook.com/acme?ref=ts">f</a><a href="https://x.com/ACME">X</a>
        <script type="application/ld+json">
          {"@type": "Organization", "sameAs": ["https://www.instagram.com/acme"]}
        </script>""")
    assert [social.url for social in find_socials(page)] == [
        "https://x.com/acme",
        "https://www.facebook.com/acme",
        "https://www.instagram.com/acme",
    ]


def test_a_networks_own_pages_do_not_count_their_own_links():
    page = read('<a href="https://www.linkedin.com/in/x">x</a><a href="https://x.com/a">a</a>')
    found = find_socials(page, own_host="ca.linkedin.com")
    assert [social.network for social in found] == ["x"]
