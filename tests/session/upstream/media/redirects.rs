//! Where a server may send it, and what is kept from the logs.

use tower_failover::{
    Region, Regions,
    session::{Attempt, Directive, Event, Targets},
};

use super::{classify, settings};
use crate::{
    support::{Play::*, SECOND, Script, Token, regions},
    upstream::{dialed, start},
};

/// Where the session goes that is sent from the first of these targets to there.
async fn sent(targets: Targets, to: &str) -> String {
    let script = Script::new([Up, Up]);
    let handle = start(&script, targets, settings(), classify);
    handle.established().await.unwrap();
    tokio::time::sleep(2 * SECOND).await;
    let to = Region::new("there", to).unwrap();
    script.tell(0, Event::Advice(Directive::migrate().to(to)));
    dialed(&script, 2).await;
    let dials = script.dials();
    dials[1].attempt.region.origin().to_string()
}

/// M24. What is refused is left out: the session goes to another of its own regions.
#[tokio::test(start_paused = true)]
async fn a_redirect_is_followed_where_it_is_trusted() {
    let other = "https://b.example.com:443";
    let rows = [
        ("a region of the list", other, other),
        // Upstream goes anywhere in the public net; here that takes a name of the same owner.
        (
            "the same domain",
            "https://z.example.com:8443",
            "https://z.example.com:8443",
        ),
        (
            "the same host, another port",
            "https://a.example.com:8443",
            "https://a.example.com:8443",
        ),
        ("an allowed host", "https://cdn.net", "https://cdn.net:443"),
        ("an unknown host", "https://example.org", other),
        ("a public suffix in common", "https://example2.com", other),
        ("a weaker scheme", "http://z.example.com", other),
        ("a weaker scheme", "http://cdn.net", other),
        // Upstream lets the fourth and fifth pass (MW12).
        ("loopback", "https://127.0.0.1", other),
        ("loopback", "https://[::1]:4443", other),
        ("loopback", "https://localhost", other),
        ("loopback", "https://localhost.", other),
        ("shared addresses", "https://100.64.0.1", other),
        ("private", "https://10.0.0.1", other),
        ("private", "https://192.168.1.1", other),
        ("link-local", "https://169.254.1.1", other),
        ("unspecified", "https://0.0.0.0", other),
        ("unique local", "https://[fd00::1]", other),
        ("v4-mapped", "https://[::ffff:127.0.0.1]", other),
        ("where it is already", "https://a.example.com", other),
    ];
    for (case, to, expected) in rows {
        let regions = Regions::fixed(["https://a.example.com", "https://b.example.com"]).unwrap();
        let targets = Targets::from(regions).allow("cdn.net").unwrap();
        assert_eq!(sent(targets, to).await, expected, "M24: {case}: {to}");
    }
    // Upstream redials the same where a redirect names nothing of use; so it is with one region.
    let targets = Targets::from(Regions::fixed(["https://a.example.com"]).unwrap());
    let same = "https://a.example.com:443";
    assert_eq!(sent(targets, "http://z.example.com").await, same, "M24");
    // From a weaker scheme there is none weaker, and none that is too strong.
    let targets = Targets::from(Regions::fixed(["http://a.example.com"]).unwrap());
    let stronger = "https://z.example.com:443";
    assert_eq!(
        sent(targets, "https://z.example.com").await,
        stronger,
        "M24"
    );
}

/// A region that was left is no place to be sent to, or two servers would send it to and fro.
#[tokio::test(start_paused = true)]
async fn a_redirect_back_is_not_followed() {
    let script = Script::new([Up, Up, Up]);
    let handle = start(&script, regions("abc"), settings(), classify);
    handle.established().await.unwrap();
    tokio::time::sleep(2 * SECOND).await;
    for (n, to) in ["b", "a"].into_iter().enumerate() {
        let to = Region::new(to, format!("http://{to}.example")).unwrap();
        script.tell(n, Event::Advice(Directive::migrate().to(to)));
        dialed(&script, n + 2).await;
        handle.established().await.unwrap();
    }
    assert_eq!(script.regions().concat(), "abc");
}

/// M27: a region has neither path nor query nor user, and a token is not shown.
#[tokio::test(start_paused = true)]
async fn no_credential_is_shown() {
    for url in [
        "https://secret@a.example",
        "https://user:secret@a.example",
        "https://a.example/secret",
        "https://a.example?token=secret",
    ] {
        let error = Region::new("a", url).unwrap_err();
        assert!(
            !format!("{error} {error:?}").contains("secret"),
            "M27: {url}"
        );
    }
    const SECRET: Token = 987_654_321;
    let script = Script::new([UpFor(2 * SECOND, "lost"), Refuse("503"), Refuse("401")]);
    let handle = start(&script, regions("a"), settings(), classify);
    handle.established().await.unwrap();
    script.tell(0, Event::Resume(SECRET));
    let error = handle.closed().await.unwrap_err();
    let attempt: Attempt<Token> = script.dials()[1].attempt.clone();
    assert_eq!(attempt.resume, Some(SECRET));
    let shown = format!("{attempt:?} {error} {error:?} {handle:?}");
    assert!(!shown.contains(&SECRET.to_string()), "M27: {shown}");
}
