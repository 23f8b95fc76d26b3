"""Which addresses posts may go to: a table, and no name that changes its mind."""

from ipaddress import ip_address, ip_network

import pytest

from core.errors import Transient
from publishing.webhooks.targets import admit, check_target, parse_target, resolve

PRIVATE = [
    *("127.0.0.1", "127.8.8.8", "0.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.2.1"),
    *("198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254"),
    *("ff02::1", "2001:db8::1", "::ffff:0:0", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
    *("2002:7f00:1::", "2002:a9fe:a9fe::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("text", PRIVATE)
def test_what_is_not_public_is_refused(text: str) -> None:
    with pytest.raises(Transient) as refused:
        admit([ip_address(text)], (), public=True)
    assert refused.value.code == "target_refused"


@pytest.mark.parametrize("text", PUBLIC)
def test_what_is_public_is_reached_over_https_alone(text: str) -> None:
    assert admit([ip_address(text)], (), public=True) == [ip_address(text)]
    with pytest.raises(Transient):
        admit([ip_address(text)], (), public=False)


def test_a_network_of_ones_own_is_opened_by_setting_and_no_other_with_it() -> None:
    allowed = (ip_network("10.1.0.0/16"),)
    assert admit([ip_address("10.1.2.3")], allowed, public=False)
    for other in ("10.2.0.1", "127.0.0.1", "::ffff:10.2.0.1"):
        with pytest.raises(Transient):
            admit([ip_address(other)], allowed, public=True)


def test_one_bad_address_among_good_ones_spoils_the_name() -> None:
    with pytest.raises(Transient):
        admit([ip_address("8.8.8.8"), ip_address("127.0.0.1")], (), public=True)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/", "https:///x", "example.com", "", "https://user:pass@example.com/", "https://example.com/#x",
        "https://a b/",         "https://example.com:99999/", "https://example.com:0/", "https://[::1/", "https://exa\nmple.com/", "file:///etc/passwd",
        "https://☃.net/",
    ],
)  # fmt: skip
def test_what_is_no_address_to_post_to_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_target(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "https://localhost/", "https://2130706433/", "https://0x7f.1/", "https://0177.0.0.1/", "https://[::1]/",
        "https://[::ffff:127.0.0.1]/", "https://169.254.169.254/latest/meta-data/", "https://no-such-host.invalid/",
    ],
)  # fmt: skip
def test_however_a_private_address_is_spelt_it_is_refused_when_saved(url: str) -> None:
    with pytest.raises(ValueError, match=r"public address|cannot be resolved|Nothing can be sent"):
        check_target(url, ())


def test_the_loopback_is_reached_over_http_when_the_setting_names_it() -> None:
    check_target("http://127.0.0.1:8080/hook", (ip_network("127.0.0.0/8"),))


@pytest.mark.parametrize("host", ["a" * 70 + ".example", "\udcff", "..", "xn--a.example."])
def test_a_host_that_is_no_name_is_an_unknown_host(host: str) -> None:
    with pytest.raises(Transient) as refused:
        resolve(host, 443)
    assert refused.value.code == "unknown_host"
