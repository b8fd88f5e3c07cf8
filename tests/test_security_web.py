"""What a hostile web can try on the fetcher, beside what test_ssrf, test_guard and test_web show."""

import json
import re
from http.cookies import SimpleCookie
from ipaddress import ip_address, ip_network

import pytest
from aiohttp import web

from bellhand import Job, job_kind
from bellhand.clients.errors import Forbidden, WebError
from bellhand.clients.guard import allowed
from bellhand.clients.urls import parse
from bellhand.clients.web import Web, WebLimits
from daemons import at_work, insert, until
from security import OURS, public_strings
from support import ROOT, cpu_at_most
from websites import Names, StraightHome, local_web, raw_server, redirect, serving

METADATA = {
    "instance-data.ec2.internal": "169.254.169.254",
    "imds6.ec2.internal": "fd00:ec2::254",
    "ecs.internal": "169.254.170.2",
    "eks.internal": "169.254.170.23",
    "eks6.internal": "fd00:ec2::23",
    "metadata.google.internal": "169.254.169.254",
    "metadata6.google.internal": "fd20:ce::254",
    "wireserver.azure.internal": "168.63.129.16",
    "metadata.alibaba.internal": "100.100.100.200",
    "metadata.oracle.internal": "192.0.0.192",
    "metadata.tencentyun.com": "169.254.0.23",
    "mapped.internal": "::ffff:169.254.169.254",
    "translated.internal": "64:ff9b::a9fe:a9fe",
    "tunnelled.internal": "2002:a9fe:a9fe::1",
}
USUAL = (b"Host", b"User-Agent", b"Accept", b"Accept-Encoding", b"Accept-Language")
NOT_FOR_WEBSITES = (
    *(1, 11, 19, 21, 22, 23, 25, 53, 110, 111, 135, 139, 143, 389, 445, 465, 514, 587, 636, 873),
    *(993, 1433, 1521, 2049, 2181, 2375, 2379, 3306, 3389, 5432, 5601, 5672, 5900, 5984, 6379),
    *(6432, 6443, 7700, 8086, 8500, 9000, 9090, 9092, 9200, 10250, 11211, 15672, 27017, 50070),
)


class Everywhere(Names):
    """A lookup that knows these names and no others, in any spelling with dots."""

    def __init__(self, answers: dict[str, str]) -> None:
        super().__init__()
        self.answers = {name: [address] for name, address in answers.items()}


# Where a fetch may go


async def test_no_address_of_the_standards_own_lists_gets_a_socket(test_data):
    """Every name leads to loopback here; addresses of the public internet are left out."""
    texts = []
    for name in ("urltestdata.json", "ada_extra_urltestdata.json"):
        cases = json.loads((test_data / "urls" / name).read_text())
        texts += [(c["input"], c.get("base")) for c in cases if isinstance(c, dict)]
    hosts = json.loads((test_data / "urls/toascii.json").read_text())
    texts += [(f"http://{c['input']}/", None) for c in hosts if isinstance(c, dict)]
    limits = WebLimits(ports=range(65536), seconds_max=5)
    asked = 0
    async with Web(limits, resolver=StraightHome()) as fetcher:
        for text, base in texts:
            try:
                above = parse(base, ports=limits.ports) if base else None
                url = parse(text, ports=limits.ports, base=above)
                if allowed(ip_address(url.raw_host)):
                    continue
            except Forbidden:
                continue
            except ValueError:
                pass  # a name
            with pytest.raises(Forbidden) as caught:
                await fetcher.get(str(url))
            assert caught.value.code == "blocked_address", text
            asked += 1
    assert asked > 200


@pytest.mark.parametrize("name", METADATA)
async def test_the_metadata_of_a_cloud_is_out_of_reach_by_address_by_name_and_by_redirect(name):
    address = METADATA[name]
    bracketed = f"[{address}]" if ":" in address else address
    names = Everywhere(METADATA | {"site.test": "127.0.0.1"})
    # A setup that opens its own private network has not opened these with it.
    inside = ("127.0.0.0/8", "10.0.0.0/8")
    for target in (f"http://{bracketed}/latest/meta-data/", f"http://{name}/computeMetadata/v1/"):
        async with serving(("/", redirect(target))) as port:
            limits = WebLimits(ports=(80, port), allow_networks=inside, seconds_max=5)
            async with Web(limits, resolver=names) as fetcher:
                for address_asked in (target, f"http://site.test:{port}/"):
                    with pytest.raises(Forbidden) as caught:
                        await fetcher.get(address_asked)
                    assert caught.value.code == "blocked_address"


def test_the_unit_file_denies_link_local_addresses_in_the_kernel_too():
    lines = (ROOT / "deploy/systemd/bellhand.service").read_text().splitlines()
    (denied,) = [
        line.partition("=")[2].split() for line in lines if line.startswith("IPAddressDeny=")
    ]
    for address in ("169.254.169.254", "169.254.170.2", "fe80::1", "fd00:ec2::254"):
        assert any(ip_address(address) in ip_network(network) for network in denied), address


@pytest.mark.parametrize("port", NOT_FOR_WEBSITES)
async def test_other_services_are_refused_by_port_before_anything_is_looked_up(port):
    names = Names(site_test=["127.0.0.1"])
    async with Web(WebLimits(allow_networks=("127.0.0.0/8",)), resolver=names) as fetcher:
        for scheme in ("http", "https"):
            with pytest.raises(Forbidden) as caught:
                await fetcher.get(f"{scheme}://site.test:{port}/")
            assert caught.value.code == "bad_port"
    assert names.asked == []


async def test_a_handler_cannot_reach_its_own_daemon(dsn, conn):
    """By the settings that a daemon has when nobody said anything, but for the status port's number."""

    @job_kind("t.inward")
    async def inward(args: dict[str, str], job: Job) -> str:
        try:
            return (await job.web.get(args["url"])).text
        except WebError as error:
            return error.code

    async with at_work(dsn, inward) as daemon:
        port = daemon.status.port
        jobs = {
            f"http://127.0.0.1:{port}/metrics": "bad_port",
            f"http://localhost:{port}/metrics": "bad_port",
            "http://127.0.0.1/metrics": "blocked_address",
            "http://localhost/metrics": "blocked_address",
            "http://0.0.0.0/metrics": "blocked_address",
        }
        for url, code in jobs.items():
            job = await insert(conn, "t.inward", json.dumps({"url": url}))
            assert (await until(conn, job, "completed"))["result"] == json.dumps(code), url
    daemon_with_its_port = {"ports": (80, port), "seconds_max": 5}
    async with at_work(dsn, inward, web=daemon_with_its_port, status={"port": port}):
        job = await insert(conn, "t.inward", json.dumps({"url": f"http://127.0.0.1:{port}/livez"}))
        assert (await until(conn, job, "completed"))["result"] == '"blocked_address"'


async def test_neither_proxies_nor_passwords_come_from_the_surroundings(monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text(
        "machine 127.0.0.1 login me password c4n4ry\ndefault login me password c4n4ry\n"
    )
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ):
        monkeypatch.setenv(name, "http://me:c4n4ry@127.0.0.1:9")
    seen = []

    async def tell(request):
        seen.append(dict(request.headers))
        return web.Response(text="ok")

    async with serving(("/", tell)) as port, local_web(port) as fetcher:
        await fetcher.get(f"http://127.0.0.1:{port}/")
    assert len(seen) == 1
    assert "c4n4ry" not in str(seen)
    assert "Authorization" not in seen[0]


# What goes along


async def test_what_was_given_for_one_site_reaches_no_other_and_does_not_come_back():
    """a.test sends the visitor to b.test, over the same port, which sends it back."""
    seen = []

    async def tell(request):
        seen.append(
            (request.host.partition(":")[0], {k.lower(): v for k, v in request.headers.items()})
        )
        host, path = request.host.partition(":")[0], request.path
        where = {
            ("a.test", "/"): "b.test/",
            ("b.test", "/"): "sub.a.test/",
            ("sub.a.test", "/"): "a.test/end",
        }
        if (host, path) not in where:
            return web.Response(text="ok")
        answer = web.Response(
            status=302,
            headers={"Location": f"http://{where[host, path].replace('/', f':{port}/', 1)}"},
        )
        answer.set_cookie("from", host.replace(".", "-"))
        answer.headers.add("Set-Cookie", "planted=1; Domain=b.test")
        return answer

    names = Names(a_test=["127.0.0.1"], b_test=["127.0.0.1"], sub_a_test=["127.0.0.1"])
    given = {"Authorization": "Bearer x", "Cookie": "given=1", "Proxy-Authorization": "Basic x"}
    async with serving(("/{any:.*}", tell)) as port, local_web(port, resolver=names) as fetcher:
        page = await fetcher.get(f"http://a.test:{port}/", headers=given)
    assert page.text == "ok"
    assert [host for host, _ in seen] == ["a.test", "b.test", "sub.a.test", "a.test"]
    first, *others = [headers for _, headers in seen]
    assert (first["authorization"], first["cookie"]) == ("Bearer x", "given=1")
    for headers in others:
        assert not {"authorization", "proxy-authorization"} & set(headers)
        assert "given" not in headers.get("cookie", "")
    at_b, at_sub, back = (headers.get("cookie", "") for headers in others)
    assert at_b == "", "neither a.test's cookie nor the one that it planted for b.test"
    assert at_sub == ""
    assert back == "from=a-test"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Note": "a\r\nX-Injected: yes"},
        {"X-Note": "a\nX-Injected: yes"},
        {"X-Note": "a\rX-Injected: yes"},
        {"X-Note": "a\0b"},
        {"X-Note": "\ud800"},
        {"X-Note": "a\r\n\r\nGET /second HTTP/1.1\r\nHost: x"},
        {"User-Agent": "me\r\nX-Injected: yes"},
        {"Cookie": "a=b\r\nX-Injected: yes"},
        {"X-Note\r\nX-Injected": "yes"},
        {"X-Note: a\r\nX-Injected": "yes"},
        {"X Note": "a"},
        {"X-Noté": "a"},
        {"": "a"},
        {"Host": "elsewhere.test"},
        {"Content-Length": "40"},
        {"transfer-encoding": "chunked"},
    ],
    ids=repr,
)
async def test_no_header_becomes_another_or_another_request(headers):
    connections = []

    async def talk(reader, writer):
        connections.append(await reader.readuntil(b"\r\n\r\n"))

    async with raw_server(talk) as port, local_web(port) as fetcher:
        with pytest.raises(Forbidden) as caught:
            await fetcher.get(f"http://127.0.0.1:{port}/", headers=headers)
    assert caught.value.code == "bad_header"
    assert connections == []


async def test_a_text_in_a_header_is_a_value_or_refused(test_data):
    """Whatever is let through arrives as one header of the name that was given."""
    requests = []

    async def talk(reader, writer):
        while True:
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    refused = {}
    sent = 0
    async with raw_server(talk) as port, local_web(port) as fetcher:
        for text in [*OURS, *public_strings(test_data)]:
            try:
                await fetcher.get(f"http://127.0.0.1:{port}/", headers={"X-Note": text})
            except Forbidden as error:
                refused[text] = error.code
                continue
            sent += 1
            names = [line.partition(b":")[0] for line in requests[-1].split(b"\r\n")[1:-2]]
            assert names.count(b"X-Note") == 1, text
            assert set(names) == {b"X-Note", *USUAL}, text
    assert len(requests) == sent > 500
    assert set(refused.values()) == {"bad_header"}
    assert not [text for text in refused if text.isprintable() and text.isascii()]


async def test_headers_of_other_alphabets_pass_as_they_are():
    seen = []

    async def tell(request):
        seen.append(request.headers["X-Note"])
        return web.Response(text="ok")

    async with serving(("/", tell)) as port, local_web(port) as fetcher:
        # The second letters end, in UTF-16, in the bytes of CR and LF.
        for note in ("Zoë 東京", "č\u010a X: y", "a\tb", ""):
            await fetcher.get(f"http://127.0.0.1:{port}/", headers={"X-Note": note})
    assert seen == ["Zoë 東京", "č\u010a X: y", "a\tb", ""]


@pytest.mark.parametrize(
    "cookie",
    [
        r'a="x\015\012X-Injected: yes"',
        r'a="x\012X-Injected: yes"',
        "a=x%0d%0aX-Injected: yes",
        r'a="x\000y"',
        'a="x; X-Injected=yes"',
    ],
)
async def test_a_cookie_or_an_address_of_a_site_cannot_write_into_our_next_request(cookie):
    requests = []

    async def talk(reader, writer):
        while True:
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            if len(requests) > 1:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                continue
            head = f"HTTP/1.1 302 Found\r\nSet-Cookie: {cookie}\r\nSet-Cookie: plain=1\r\n"
            where = "Location: /x%0d%0aX-Injected:%20yes?y=\\r\\nX-Injected: yes\r\n"
            writer.write((head + where + "Content-Length: 0\r\n\r\n").encode())

    # By name: cookies of bare addresses are not kept.
    names = Names(site_test=["127.0.0.1"])
    limits = {"resolver": names, "seconds_max": 5}
    async with raw_server(talk) as port, local_web(port, **limits) as fetcher:
        page = await fetcher.get(f"http://site.test:{port}/")
    assert page.text == "ok"
    assert len(requests) == 2
    sent = [line.partition(b":")[0].lower() for line in requests[1].split(b"\r\n")[1:]]
    assert set(sent) - {b""} == {*(name.lower() for name in USUAL), b"cookie"}
    (carried,) = re.findall(rb"Cookie: (.*)\r\n", requests[1])
    assert {"plain"} <= set(SimpleCookie(carried.decode())) <= {"plain", "a"}
    assert b"\0" not in requests[1]
    assert b"\n" not in requests[1].replace(b"\r\n", b"")


async def test_addresses_made_to_be_slow_are_refused_before_they_are():
    """Three hundred of each: half a minute where a pattern backtracks, two where IDNA sees it all."""
    for text in ("http://" + "[" * 8000, "http://" + "\ufdfa" * 8000 + "/"):
        with cpu_at_most(10):
            for _ in range(300):
                with pytest.raises(Forbidden) as caught:
                    parse(text, ports=(80,))
                assert caught.value.code == "bad_url"
    longer_than_a_host = "http://acme.test/?from=//" + "a" * 5000
    assert str(parse(longer_than_a_host, ports=(80,))) == longer_than_a_host
