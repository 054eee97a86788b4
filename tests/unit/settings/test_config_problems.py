"""Every problem of a config is told at its exact place, in plain words."""

import re

import pytest

from tests.unit.settings.told import (
    CONFIG,
    POLICY,
    SECRET,
    config_problems,
    edited,
    unmarked,
)

LISTENER = 'address: "127.0.0.1:2525"'
URL = 'url: "maildir:var/outbound"'
SMART = '"smtp+starttls://mx.example.net"'
NETWORKS = "[127.0.0.0/8]"

SINGLE = [
    # keys
    (
        "log: {",
        "log: {«adresses: true, ",
        'unknown key "adresses" in log (did you mean "addresses"?)',
    ),
    ("log:", "«logs:", 'unknown key "logs" (did you mean "log"?)'),
    (
        "      - username: acme\n        secret",
        "      - «secret",
        '"username" is missing in credentials',
    ),
    (f"  - {LISTENER}", "  - «tls: none", '"address" is missing in listeners'),
    ("log: {", "«hostname: x\nlog: {", 'duplicate key "hostname": it stands in line 1 too'),
    ("log: {", "«<<: {}\nlog: {", "merge keys (<<) are not supported (write the keys out)"),
    # kinds of values
    ("log: {level: info}", "log:« ", "log: must be a mapping of keys and values (it has no value)"),
    ("log: {level: info}", "log: «[]", "log: must be a mapping of keys and values (not a list)"),
    (
        "log: {",
        "policies: «policies\nlog: {",
        'policies: must be a list (not "policies") (write [ ] around it)',
    ),
    (
        "level: info",
        "level: «infos",
        'level: "infos" is not debug, info, warning or error (did you mean "info"?)',
    ),
    ("level: info", "addresses: «no", 'addresses: "no" is not true or false'),
    (
        "level: info",
        "level: «!!str info",
        'tags such as "tag:yaml.org,2002:str" are not supported (leave it out)',
    ),
    (
        "    credentials:",
        "    brand: {colour: «blue}\n    credentials:",
        'colour: "blue" is not a colour (write it as "#0b5fcb")',
    ),
    ("store: embedded", "store: «5", "store: must be a mapping of keys and values (not 5)"),
    (
        "store: embedded",
        "store: «http://x",
        "url: is neither embedded nor a URL, such as redis://127.0.0.1:6379/0",
    ),
    (
        "store: embedded",
        "store: «redsi://x",
        'url: is neither embedded nor a URL, such as redis://127.0.0.1:6379/0 (did you mean "redis"?)',
    ),
    (
        "store: embedded",
        "store: «redis+cluster://x:1/3",
        "url: names a database, and a cluster has none (such as redis+cluster://user:password@10.0.0.1:6379,10.0.0.2:6379)",
    ),
    (
        "store: embedded",
        "store: «rediss+sentinel://:p@x:1,y",
        "url: needs the name of the master at its end (such as redis+sentinel://user:password@10.0.0.1:26379,10.0.0.2:26379/mymaster)",
    ),
    (
        "store: embedded",
        "store: «redis+cluster://x:1,,y",
        "url: is not a URL, such as redis+cluster://user:password@10.0.0.1:6379,10.0.0.2:6379 (in the password, write / as %2F, @ as %40, # as %23 and ? as %3F)",
    ),
    (
        "store: embedded",
        "store: «redis+clutser://x:1",
        'url: is neither embedded nor a URL, such as redis://127.0.0.1:6379/0 (did you mean "redis+cluster"?)',
    ),
    (
        "store: embedded",
        "store: {wait_replicas: «1}",
        "wait_replicas means nothing for the embedded store: it has no replicas (leave it out, or name a store by its URL)",
    ),
    (
        "store: embedded",
        "store: {url: 'redis://x', wait_replicas: «11}",
        "wait_replicas: 11 is not between 0 and 10",
    ),
    (
        "store: embedded",
        "store: «redis://u:p/w@h",
        "url: is not a URL, such as redis://127.0.0.1:6379/0 (in the password, write / as %2F, @ as %40, # as %23 and ? as %3F)",
    ),
    (
        "store: embedded",
        "store: «unix://run/x",
        "url: needs an absolute path (unix:///run/valkey/valkey.sock)",
    ),
    (
        "store: embedded",
        "store: {url: embedded, timeout: «5}",
        'timeout: "5" is not a duration with a unit, such as 30s, 5 min or 2h',
    ),
    (
        "store: embedded",
        "store: {url: embedded, timeout: «0s}",
        'timeout: "0s" is not between 1 ms and a year',
    ),
    (
        "log: {",
        "limits: {message_size: «ten}\nlog: {",
        'message_size: "ten" is not a size, such as 25 MiB, 10MB or 4096',
    ),
    ("log: {", "limits: {recipients: «50}\nlog: {", "recipients: 50 is not between 100 and 100000"),
    ("log: {", 'limits: {errors: «"5"}\nlog: {', 'errors: "5" is not a whole number'),
    ("log: {", "limits: {errors: «true}\nlog: {", "errors: true is not a whole number"),
    ("relay.example.net", "«relay_1", 'hostname: "relay_1" is not a domain name'),
    ("relay.example.net", "«5", 'hostname: "5" is not a domain name'),
    # listeners and web
    (
        LISTENER,
        'address: «"127.0.0.1"',
        'address: "127.0.0.1" is not host:port, such as 127.0.0.1:2525 or [::1]:2525',
    ),
    (
        LISTENER,
        'address: «"127.0.0.1:70000"',
        'address: "127.0.0.1:70000": the port is not between 1 and 65535',
    ),
    (LISTENER, 'address: «"[::z]:25"', 'address: "[::z]:25": "::z" is not an IP address'),
    (
        LISTENER,
        f"{LISTENER}\n    auth: «false",
        'auth: "false" is not none, optional or required',
    ),
    (LISTENER, f"{LISTENER}\n    tls: «[starttls]", "tls: must be text, not a list"),
    (LISTENER, f"{LISTENER}\n    tls: «{{starttls: yes}}", "tls: must be text, not a mapping"),
    (LISTENER, f"{LISTENER}\n    tls: «implicit", "tls: implicit needs certificate and key"),
    (
        LISTENER,
        f"{LISTENER}\n    tls: «starttls\n    certificate: c.pem",
        "tls: starttls needs key",
    ),
    (
        LISTENER,
        f"{LISTENER}\n    tls: «startls",
        'tls: "startls" is not none, starttls or implicit (did you mean "starttls"?)',
    ),
    (
        LISTENER,
        f"{LISTENER}\n    plaintext_auth: «no",
        'plaintext_auth: "no" is not never or loopback',
    ),
    (
        LISTENER,
        f"{LISTENER}\n    proxy_from: [«10.0.0.1/8]",
        'proxy_from: "10.0.0.1/8" is not a network, such as 10.0.0.0/8 or ::1/128 (did you mean "10.0.0.0/8"?)',
    ),
    (
        LISTENER,
        f'{LISTENER}\n  - address: «"127.0.0.1:2525"',
        'the address "127.0.0.1:2525" stands in line 4 already',
    ),
    (
        '"127.0.0.1:8025"',
        '«"127.0.0.1:2525"',
        'the address "127.0.0.1:2525" stands in line 4 already',
    ),
    (
        'web:\n  address: "127.0.0.1:8025"',
        "web: «on",
        'web: "on" is neither off nor {address: host:port}',
    ),
    (f"  - {LISTENER}", "  «[]", "listeners: must not be empty"),
    # upstreams
    (
        SMART,
        "«smpt://h",
        'url: this is not an upstream URL, such as smtp+starttls://user:password@host:587 or maildir:path (did you mean "smtp"?)',
    ),
    (
        SMART,
        "[smtps://h, «5]",
        "url: this is not an upstream URL, such as smtp+starttls://user:password@host:587 or maildir:path",
    ),
    (
        SMART,
        "«smtps://u:p/w@h",
        "url: this is not an upstream URL, such as smtp+starttls://user:password@host:587 or maildir:path (in user and password, write / as %2F, @ as %40, : as %3A and % as %25)",
    ),
    (
        SMART,
        "«smtps://u:100%@h",
        "url: a % in the URL's user or password is not followed by two hex digits (write % as %25)",
    ),
    (
        SMART,
        "«smtps://u@h",
        "url: the URL needs both a user and a password before @ (user:password@host)",
    ),
    (
        SMART,
        "«smtp://u:p@h",
        'url: the password would go to "h" unencrypted (use smtp+starttls:// or smtps://)',
    ),
    (SMART, '«"maildir:"', 'url: "maildir:" needs a path after it (such as maildir:var/outbound)'),
    (
        SMART,
        '«"smtps:h"',
        'url: "smtps:" needs "//" and a host after it (such as smtp+starttls://user:password@host:587 or maildir:path)',
    ),
    (
        SMART,
        f"{SMART}\n    username: «12\n    password: p",
        'username: must be text, not 12 (put it in quotes: "12")',
    ),
    (
        SMART,
        f"{SMART}\n    username: u\n    password: «12",
        'password: must be text, not 12 (put it in quotes: "12")',
    ),
    (SMART, f"{SMART}\n    username: «u", "username needs password beside it"),
    (SMART, f"{SMART}\n    password: «u", "password needs username beside it"),
    (
        SMART,
        "«smtps://a:b@h\n    username: u\n    password: p",
        "the URL and the keys both give a password (leave one of them out)",
    ),
    (
        SMART,
        "[«smtp+opportunistic://h]\n    username: u\n    password: p",
        'the password would go to "h" unencrypted (use smtp+starttls:// or smtps://)',
    ),
    (SMART, f"{SMART}\n    pool: {{connections: «0}}", "connections: 0 is not between 1 and 1000"),
    (URL, f"{URL}\n    verify: «false", '"verify" means nothing for a maildir (leave it out)'),
    (URL, "url: «[maildir:a, smtps://h]", "a maildir must be the only url of its upstream"),
    # tenants
    (
        "  other:\n",
        "  «o/o:\n",
        "\"o/o\" is not a name: use up to 64 letters, digits, '.', '_' and '-'",
    ),
    (
        f'"{SECRET}"',
        "«hunter2",
        "secret: is not the hash of a generated token (run `warmup-relay token` for one)",
    ),
    (f'"{SECRET}"', '«"file:none"', 'secret: "file:none": there is no such file'),
    (
        "username: acme",
        "username: acme\n        class: «marketin",
        'class: "marketin" is not marketing or transactional (did you mean "marketing"?)',
    ),
    (
        "username: acme",
        'username: «"a\\tb"',
        'username: "a\\tb" is not a user name: 1 to 255 characters, no control characters',
    ),
    (
        NETWORKS,
        "[«0.0.0.0/0]",
        'networks: "0.0.0.0/0" would let everybody on the Internet send as this tenant',
    ),
    (
        NETWORKS,
        '[«"::ffff:1.2.3.0/120"]',
        'networks: "::ffff:1.2.3.0/120" is an IPv4 network in IPv6 form (write it as IPv4)',
    ),
    (
        "[10.0.0.0/8]",
        "[«127.0.0.0/8]",
        'the network "127.0.0.0/8" is that of tenant "acme" in line 17 already',
    ),
    (
        "      other.example:",
        "      «NEWS.acme.example.:",
        'the domain "news.acme.example" stands in line 19 already',
    ),
    ("      other.example:", "      «other_x.example:", '"other_x.example" is not a domain name'),
    (
        "[bounces.acme.example]",
        "[«other.example]",
        '"other.example" is a domain of another tenant, "other"',
    ),
    (
        "    networks: [10.0.0.0/8]",
        f"    credentials: [{{username: «acme, secret: {SECRET}}}]",
        'the username "acme" stands in line 15 already',
    ),
    (
        "            key: s1.pem\n",
        "            key: s1.pem\n          - {selector: «S1, key: b}\n",
        'the selector "s1" stands in line 22 already',
    ),
    (
        "selector: s1",
        "selector: «s_",
        """selector: "s_" is not a DKIM selector, such as s1 (use letters, digits, '-', '_' and '.')""",
    ),
    (
        "selector: s1",
        "selector: «a.-b",
        """selector: "a.-b" is not a DKIM selector, such as s1 (use letters, digits, '-', '_' and '.')""",
    ),
    (
        "upstream: outbound",
        "upstream: «outbond",
        'unknown upstream "outbond" (did you mean "outbound"?)',
    ),
    ("upstream: outbound", "upstream: «x", 'unknown upstream "x" (known: outbound, smart)'),
    (
        "policy: calendar-14-day",
        "policy: «calender-14-day",
        'unknown policy "calender-14-day" (did you mean "calendar-14-day"?)',
    ),
    (
        "policy: exempt}",
        "policy: exempt}, «{upstream: outbound, policy: exempt}",
        'no mail ever comes to this route: "exempt" before it does not overflow (put the exempt route last)',
    ),
    (
        "policy: exempt}",
        "policy: calendar-14-day}, «{upstream: outbound, policy: exempt}",
        'no mail ever comes to this route: "calendar-14-day" before it does not overflow (say excess: overflow in that policy, or remove this route)',
    ),
    ("[{upstream: smart, policy: exempt}]", "«[]", "routes: must not be empty"),
    # directories, environment, syntax
    ("log: {", "policies: [«nowhere]\nlog: {", 'there is no directory "nowhere"'),
    (
        f"url: {SMART}",
        f"url: {SMART}\n    ca_file: «ca.pem",
        'ca_file: "ca.pem" cannot be used: there is no such file (a PEM file with at least one certificate)',
    ),
    (
        f"url: {SMART}",
        f"url: {SMART}\n    ca_file: «relay.yaml",
        'ca_file: "relay.yaml" cannot be used: it holds no certificate (a PEM file with at least one certificate)',
    ),
    ("level: info", "level: «'${NONE}'", "the environment variable NONE is not set"),
    (
        "level: info",
        "level: $«{NONE}",
        "${NAME} inside of { } or [ ] must be in quotes",
    ),
    (
        "level: info",
        "level: «'${no name}'",
        '"${no name}" holds a ${ without a NAME} of letters, digits and _ (write $${ for the characters ${ themselves)',
    ),
    ("level: info", 'level: «"a\\0"', "control characters are not allowed in a value"),
    ("level: info", "level: «*there", "there is no anchor &there before this alias"),
    (
        "log: {level: info}\n",
        "log: {level: info\n«",
        'a mapping in { } is not closed (it began in line 32) (check for a missing "," or "}")',
    ),
    ("log: {", "«\tlog: {", "a tab is not allowed as indentation (use spaces)"),
    ("level: info", "level: «@info", "a text cannot begin with @ (put it in quotes)"),
    (
        "log: {level: info}\n",
        "log: {level: info}\n«---\na: b\n",
        "a second document begins here; a file holds one",
    ),
    ("level: info", "level: inf«\x07o", "the character U+0007 is not allowed in YAML"),
]


@pytest.mark.parametrize(("old", "new", "told"), SINGLE)
def test_a_single_fault_is_told_once_at_its_place(tmp_path, old, new, told):
    text, places = unmarked(edited(CONFIG, old, new))

    assert config_problems(tmp_path, text) == [(*places[0], told)]


def test_the_config_without_a_fault_has_no_problems(tmp_path):
    assert config_problems(tmp_path, CONFIG) == []


def test_a_missing_key_of_the_root_is_told_at_the_start(tmp_path):
    text = edited(CONFIG, "hostname: relay.example.net\n", "")

    assert config_problems(tmp_path, text) == [(1, 1, '"hostname" is missing')]


def test_what_is_missing_in_a_mapping_is_told_at_its_key(tmp_path):
    text, places = unmarked(
        edited(CONFIG, f"  outbound:\n    {URL}", "  «outbound: {verify: true}")
    )

    assert config_problems(tmp_path, text) == [(*places[0], '"url" is missing in outbound')]


def test_an_upstream_whose_name_is_wrong_is_not_unknown_as_well(tmp_path):
    text = CONFIG.replace("smart", '"sm art"')

    told = [sentence for _, _, sentence in config_problems(tmp_path, text)]

    assert len(told) == 2
    assert all("is not a name" in sentence for sentence in told)


def test_all_problems_of_the_config_and_its_policies_are_told_together(tmp_path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "mine.yaml").write_text(edited(POLICY, "cap: 50", "cap: 0"))
    text = edited(CONFIG, "hostname:", "hostnam:")
    text = edited(text, "username: acme", "username: [acme]")
    text = edited(text, "upstream: outbound", "upstream: outbond")
    text = edited(text, "policy: exempt", "policy: mine")
    text = edited(text, "other.example:", "news.acme.example:")

    told = [sentence for _, _, sentence in _any_file(tmp_path, text)]

    assert [re.split(r" \(", sentence)[0] for sentence in told] == [
        '"hostname" is missing',
        'unknown key "hostnam"',
        "username: must be text, not a list",
        'unknown upstream "outbond"',
        'the domain "news.acme.example" stands in line 19 already',
        "cap: 0 is not between 1 and 1000000000000",
    ]


def _any_file(folder, text):
    from relay.settings.load import load_config
    from relay.settings.problems import ConfigProblems

    path = folder / "relay.yaml"
    path.write_text(text)
    with pytest.raises(ConfigProblems) as caught:
        load_config(path, {})
    return [
        (each.line, each.column, each.text + (f" ({each.hint})" if each.hint else ""))
        for each in caught.value.problems
    ]


@pytest.mark.parametrize(
    ("content", "line", "column"),
    [
        (b"hostname: \xff\n", 1, 11),
        (b"a: 1\nb: caf\xe9\n", 2, 7),
        ("a: é\r\nbc: é".encode() + b"\xff", 2, 6),
        (b"\xef\xbb\xbfa: \xff", 1, 4),
    ],
)
def test_a_file_that_is_not_utf_8_is_refused_where_it_ceases_to_be(tmp_path, content, line, column):
    from relay.settings.load import load_config
    from relay.settings.problems import ConfigProblems

    (tmp_path / "relay.yaml").write_bytes(content)
    with pytest.raises(ConfigProblems) as caught:
        load_config(tmp_path / "relay.yaml", {})
    [problem] = caught.value.problems
    assert (problem.line, problem.column) == (line, column)
    assert problem.text == "the file is not UTF-8 text"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file must be a mapping of keys and values (it has no value)"),
        (b"- a\n", "the file must be a mapping of keys and values (not a list)"),
        ("a: 1".encode("utf-16"), "the file is not UTF-8 text"),
        (b"#" * (64 * 1024 * 1024 + 1), "the file is larger than 67108864 bytes"),
    ],
)
def test_a_file_that_is_no_config_is_refused_at_its_start(tmp_path, content, told):
    from relay.settings.load import load_config
    from relay.settings.problems import ConfigProblems

    path = tmp_path / "relay.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigProblems) as caught:
        load_config(path, {})

    assert [str(each) for each in caught.value.problems] == [f"{path}:1:1: {told}"]


def test_a_file_that_is_not_there_is_told(tmp_path):
    from relay.settings.load import load_config
    from relay.settings.problems import ConfigProblems

    with pytest.raises(ConfigProblems, match=r"none\.yaml:1:1: there is no such file"):
        load_config(tmp_path / "none.yaml", {})


def test_neither_passwords_nor_the_environment_are_ever_quoted(tmp_path):
    text = edited(CONFIG, SMART, '"smtp://user:${PW}@mx.example.net"')
    text = edited(text, "level: info", 'level: "${PW}"')
    text = edited(text, f'"{SECRET}"', '"${PW}"')
    text = edited(text, "store: embedded", 'store: "redis://:${PW}/x@h"')

    told = config_problems(tmp_path, text, {"PW": "hunter2"})

    assert len(told) == 4
    assert "hunter2" not in str(told)


def test_a_key_from_the_environment_is_not_quoted_either(tmp_path):
    text = edited(CONFIG, "log: {level: info}", "log: {'a${PW}': 1}\n'${PW}': {x: 1}\n'b${PW}': 1")

    told = config_problems(tmp_path, text, {"PW": "hunter2"})

    assert len(told) == 3
    assert "hunter2" not in str(told)
    assert "unknown key the text from the environment" in str(told)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (SMART, "smtp://mx.${PW}.n#t"),
        (SMART, "smtp://user:right@${PW}"),
        (SMART, "smtp://mx.example.net:1${PW}"),
        ("store: embedded", "store: 'file:${PW}'"),
        ("store: embedded", "store: 'redis://user:${PW}/2@h'"),
        ("log: {level: info}", "limits: {connections: '-${PW}'}"),
        ("log: {level: info}", "limits: {message_size: '${PW}', shutdown: '${PW}'}"),
        ('address: "127.0.0.1:2525"', 'address: "127.0.0.1:2525${PW}"'),
    ],
)
@pytest.mark.parametrize("secret", ["hunter2", "1234567"])
def test_no_part_of_a_value_from_the_environment_is_quoted(tmp_path, before, after, secret):
    told = config_problems(tmp_path, edited(CONFIG, before, after), {"PW": secret})
    assert told
    assert secret not in str(told)


@pytest.mark.parametrize("name", ["xxxx", "outbound-hunter3"])
def test_a_name_from_the_environment_is_not_told_among_those_that_are_known(tmp_path, name):
    text = edited(CONFIG, "upstreams:", "upstreams:\n  outbound-${PW}: {url: 'maildir:x'}")
    text = edited(text, "upstream: outbound", f"upstream: {name}")

    told = config_problems(tmp_path, text, {"PW": "hunter2"})

    assert len(told) == 1
    assert "hunter2" not in str(told)


def test_a_long_list_of_problems_is_cut_in_its_text_only(tmp_path):
    from relay.settings.problems import ConfigProblems, Problem

    problems = ConfigProblems([Problem("f", n, 1, "x") for n in range(1, 251)])

    assert len(problems.problems) == 250
    assert str(problems).endswith("f:100:1: x\n… and 150 more")
