use super::*;

fn check(trust: &Trust, home: &str, region: &str) -> Result<(), Refusal> {
    trust.check(
        &Origin::parse(home).expect(home),
        &Origin::parse(region).expect(region),
    )
}

fn by_default(home: &str, region: &str) -> Result<(), Refusal> {
    check(&Trust::default(), home, region)
}

fn allowing(pattern: &str) -> Trust {
    let mut trust = Trust::default();
    trust.allow(Pattern::parse(pattern).expect(pattern));
    trust
}

#[test]
fn a_region_of_homes_domain_is_trusted() {
    let home = "https://api.example.co.uk";
    for region in [
        "https://api.example.co.uk",
        "https://API.EXAMPLE.CO.UK:8443",
        "https://eu.api.example.co.uk",
        "https://example.co.uk",
        "https://us.example.co.uk:444",
        "https://us.example.co.uk.",
    ] {
        assert_eq!(by_default(home, region), Ok(()), "{region}");
    }
    let home = "http://a.svc.cluster.local";
    assert_eq!(by_default(home, "http://b.svc.cluster.local"), Ok(()));
}

#[test]
fn a_region_of_another_domain_is_not_trusted() {
    for (home, region) in [
        ("https://api.example.co.uk", "https://other.co.uk"),
        ("https://api.example.com", "https://evilexample.com"),
        (
            "https://api.example.com",
            "https://api.example.com.evil.com",
        ),
        ("https://api.example.com", "https://api.example.org"),
        ("https://api.example.com", "https://com"),
        ("https://api.example.com", "https://example"),
        ("https://me.github.io", "https://you.github.io"),
        ("https://me.github.io", "https://github.io"),
        ("https://a.anything.ck", "https://a.other.ck"),
        ("https://x..com", "https://y..com"),
        ("https://x.com..", "https://y.com.."),
    ] {
        assert_eq!(
            by_default(home, region),
            Err(Refusal::Domain),
            "{home} {region}"
        );
    }
}

#[test]
fn a_home_without_a_registrable_domain_has_itself_alone() {
    for home in ["https://localhost", "https://github.io", "https://com"] {
        assert_eq!(by_default(home, &format!("{home}:8443")), Ok(()), "{home}");
        let below = home.replace("//", "//a.");
        assert_eq!(by_default(home, &below), Err(Refusal::Domain), "{home}");
        let other = "https://example.com";
        assert_eq!(by_default(home, other), Err(Refusal::Domain), "{home}");
    }
}

#[test]
fn encryption_is_never_given_up() {
    let refused = Err(Refusal::Scheme);
    assert_eq!(by_default("https://a.b.com", "http://a.b.com"), refused);
    assert_eq!(by_default("https://a.b.com", "http://c.b.com"), refused);
    assert_eq!(by_default("http://a.b.com", "http://c.b.com"), Ok(()));
    assert_eq!(by_default("http://a.b.com", "https://c.b.com"), Ok(()));
    let trust = allowing("*.b.com");
    assert_eq!(check(&trust, "https://a.com", "http://a.b.com"), refused);
    assert_eq!(check(&trust, "http://a.com", "http://a.b.com"), Ok(()));
}

#[test]
fn an_address_is_trusted_only_where_it_is_homes_own() {
    for (home, region) in [
        ("http://127.0.0.1:1", "http://127.0.0.1:2"),
        ("http://127.1", "http://127.1:2"),
        ("http://[::1]:1", "http://[0:0::1]:2"),
    ] {
        assert_eq!(by_default(home, region), Ok(()), "{home} {region}");
    }
    for (home, region) in [
        ("http://127.0.0.1", "http://127.0.0.2"),
        ("http://127.0.0.1", "http://10.0.0.1"),
        ("http://127.0.0.1", "http://127.1"),
        ("http://127.0.0.1", "http://localhost"),
        ("http://127.0.0.1", "http://example.com"),
        ("http://[::1]", "http://[::2]"),
        ("http://[::ffff:127.0.0.1]", "http://127.0.0.1"),
        ("http://api.example.com", "http://127.0.0.1"),
        ("http://api.example.com", "http://127.0.0.1."),
        ("http://api.example.com", "http://[::1]"),
        ("http://api.example.com", "http://2130706433"),
        ("http://api.example.com", "http://0x7f.1"),
        ("http://api.example.com", "http://127.1"),
        ("http://api.example.com", "http://169.254.169.254"),
        // Of one "domain" as far as the list can tell.
        ("http://1.2.3.4", "http://5.6.3.4"),
    ] {
        assert_eq!(
            by_default(home, region),
            Err(Refusal::Address),
            "{home} {region}"
        );
    }
}

#[test]
fn a_pattern_widens_what_a_host_may_be() {
    let trust = allowing("*.partner.net");
    let home = "https://api.example.com";
    assert_eq!(check(&trust, home, "https://eu.partner.net:444"), Ok(()));
    assert_eq!(check(&trust, home, "https://eu.example.com"), Ok(()));
    for region in ["https://partner.net", "https://eu.other.net"] {
        assert_eq!(
            check(&trust, home, region),
            Err(Refusal::Domain),
            "{region}"
        );
    }
    let address = Err(Refusal::Address);
    assert_eq!(check(&trust, home, "https://10.0.0.1"), address);
}

#[test]
fn a_pattern_that_is_an_address_allows_that_address() {
    let trust = allowing("10.0.0.1");
    let home = "https://api.example.com";
    assert_eq!(check(&trust, home, "https://10.0.0.1"), Ok(()));
    let refused = Err(Refusal::Address);
    assert_eq!(check(&trust, home, "https://10.0.0.2"), refused);
    let trust = allowing("::1");
    assert_eq!(check(&trust, home, "https://[::1]"), Ok(()));
    assert_eq!(check(&trust, home, "https://[::2]"), refused);
}

#[test]
fn any_is_any() {
    let mut trust = Trust::default();
    trust.allow_any();
    for region in ["http://api.example.com", "http://evil.org", "http://[::1]"] {
        assert_eq!(check(&trust, "https://api.example.com", region), Ok(()));
    }
}

#[test]
fn a_refusal_says_why() {
    assert_eq!(Refusal::Scheme.to_string(), "not https as home is");
    assert_eq!(Refusal::Address.to_string(), "another ip address");
    assert_eq!(Refusal::Domain.to_string(), "another domain");
}
