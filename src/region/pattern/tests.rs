use super::*;

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn fault(text: &str) -> PatternFault {
    Pattern::parse(text).expect_err(text).fault
}

#[test]
fn a_host_matches_itself_in_any_case() {
    let api = pattern("API.example.com");
    assert!(api.matches("api.EXAMPLE.com"));
    for host in ["example.com", "x.api.example.com", "api.example.com.", ""] {
        assert!(!api.matches(host), "{host}");
    }
    assert!(pattern("localhost").matches("LOCALHOST"));
    assert!(pattern("my_host").matches("my_host"));
}

#[test]
fn a_star_stands_for_one_or_more_whole_labels() {
    let below = pattern("*.Example.com");
    for host in ["a.example.com", "A.B.EXAMPLE.COM", "x_y-1.example.com"] {
        assert!(below.matches(host), "{host}");
    }
    for host in [
        "",
        "com",
        "example.com",
        ".example.com",
        "a..example.com",
        ".a.example.com",
        "evilexample.com",
        "a.example.com.evil.com",
        "a.example.com.",
        "evil.com/.example.com",
        "evil.com;.example.com",
        "*.example.com",
        "é.example.com",
        "aé.xample.com",
    ] {
        assert!(!below.matches(host), "{host}");
    }
}

#[test]
fn an_ipv6_address_is_compared_as_one() {
    for text in ["::1", "[::1]", "0:0::1", "[0:0:0:0:0:0:0:1]"] {
        let address = pattern(text);
        assert!(address.matches("[::1]"), "{text}");
        assert!(address.matches("[0::1]"), "{text}");
        assert!(!address.matches("[::2]"), "{text}");
        assert!(!address.matches("::1"), "no URI writes it so");
    }
    assert!(pattern("2001:DB8::a").matches("[2001:db8::A]"));
}

#[test]
fn an_ipv4_address_is_matched_as_it_is_written() {
    let address = pattern("127.0.0.1");
    assert!(address.matches("127.0.0.1"));
    for host in ["127.0.0.2", "127.1", "2130706433", "[::ffff:127.0.0.1]"] {
        assert!(!address.matches(host), "{host}");
    }
}

#[test]
fn a_star_stands_before_no_address() {
    for text in [
        "*.0.0.1",
        "*.127.0.0.1",
        "*.1",
        "*.example.1",
        "*.0x7f",
        "*.0X",
    ] {
        assert_eq!(fault(text), PatternFault::Address, "{text}");
    }
    assert!(pattern("*.1a").matches("x.1a"), "no number");
    assert!(pattern("*.7.internal").matches("x.7.internal"));
}

#[test]
fn what_is_no_pattern_is_refused() {
    let long_label = format!("{}.com", "a".repeat(64));
    let long_name = "a.".repeat(126) + "ab";
    let long_star = format!("*.{}", &long_name[2..]);
    for (text, expected) in [
        ("", PatternFault::Empty),
        ("*.", PatternFault::Empty),
        ("*", PatternFault::Star),
        ("*.*", PatternFault::Star),
        ("*.*.example.com", PatternFault::Star),
        ("a*.example.com", PatternFault::Star),
        ("*a.example.com", PatternFault::Star),
        ("a.*.com", PatternFault::Star),
        ("**.example.com", PatternFault::Star),
        ("https://example.com", PatternFault::Character),
        ("example.com:443", PatternFault::Character),
        ("example.com/", PatternFault::Character),
        ("user@example.com", PatternFault::Character),
        ("example.com?q", PatternFault::Character),
        ("example.com#f", PatternFault::Character),
        ("example%2ecom", PatternFault::Character),
        ("exa mple.com", PatternFault::Character),
        (" example.com", PatternFault::Character),
        ("example.com\n", PatternFault::Character),
        ("*.::1", PatternFault::Character),
        ("*.[::1]", PatternFault::Character),
        ("[::1]:443", PatternFault::Character),
        ("[::1", PatternFault::Character),
        ("::1]", PatternFault::Character),
        ("[]", PatternFault::Character),
        ("[example]", PatternFault::Character),
        ("fe80::1%eth0", PatternFault::Character),
        ("bücher.example", PatternFault::NotAscii),
        ("*.bücher.example", PatternFault::NotAscii),
        (".", PatternFault::EmptyLabel),
        (".example.com", PatternFault::EmptyLabel),
        ("a..example.com", PatternFault::EmptyLabel),
        ("example.com.", PatternFault::EmptyLabel),
        ("*.example.com.", PatternFault::EmptyLabel),
        ("*..example.com", PatternFault::EmptyLabel),
        (&long_label, PatternFault::Length),
        (&long_name, PatternFault::Length),
        (&long_star, PatternFault::Length),
    ] {
        assert_eq!(fault(text), expected, "{text}");
    }
    let (longest, _) = long_name.split_at(253);
    assert!(Pattern::parse(longest).is_ok());
    assert!(Pattern::parse(&long_label[1..]).is_ok());
}

#[test]
fn a_public_suffix_is_refused_with_and_without_a_star() {
    for text in [
        "com",
        "*.com",
        "*.COM",
        "*.co.uk",
        "github.io",
        "*.github.io",
        "xn--p1ai",
        "*.xn--p1ai",
        // On the list with a star: what stands below belongs to anyone.
        "*.ck",
        "anything.ck",
        "*.anything.ck",
        "*.kawasaki.jp",
    ] {
        assert_eq!(fault(text), PatternFault::PublicSuffix, "{text}");
    }
    assert!(pattern("*.example.co.uk").matches("a.example.co.uk"));
    assert!(pattern("*.me.github.io").matches("a.me.github.io"));
    assert!(pattern("*.www.ck").matches("a.www.ck"), "an exception");
    assert!(
        pattern("*.internal").matches("a.internal"),
        "not on the list"
    );
}

#[test]
fn the_error_tells_the_place_and_not_the_text() {
    let error = Pattern::parse("*.co.uk").expect_err("a public suffix");
    assert_eq!(error.to_string(), "host pattern: a public suffix");
    let error = error.at(1);
    assert_eq!(error.to_string(), "host pattern 2: a public suffix");
    assert!(!format!("{error:?}").contains("co.uk"));
    let error = Pattern::parse("*.bücher.example").expect_err("not ASCII");
    assert!(error.to_string().contains("punycode"));
}

#[test]
fn what_a_resolver_takes_for_an_address_is_one() {
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "017700000001",
        "1.2.3.4.",
        "example.1",
        "[::1]",
    ] {
        assert!(is_address(host), "{host}");
    }
    for host in ["example.com", "1.example", "0x7f.example", "1e100.net", "x"] {
        assert!(!is_address(host), "{host}");
    }
}
