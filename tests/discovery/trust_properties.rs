//! What holds for every list, however odd: random documents over real sockets.

mod names;

use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use failover_cluster::{Fault, Server};
use http::Request;
use http_body_util::Full;
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{Index, select},
    test_runner::{RngSeed, TestCaseError, TestRunner},
};
use serde_json::json;
use tower::{Layer, ServiceExt};
use tower_failover::{AttemptRecord, Budget, Served, replay::ReplayBody};

use crate::support::*;

/// Where home is and who may be named with it.
const TRUSTED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Hosts that lead to the untrusted, that look like home or that are no hosts.
const HOSTS: &[&str] = &[
    "127.0.0.1",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "LocalHost.localdomain",
    "a.localhost",
    "127.0.0.2.localhost",
    "127.1",
    "127.0.1",
    "127.0.0.01",
    "127.00.0.1",
    "127.0.0.1.",
    "127.0.0.1..",
    ".127.0.0.1",
    "127.0.0.3",
    "127.0.0.257",
    "2130706433",
    "0x7f000001",
    "0X7F.0.0.1",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "0",
    "0.0.0.0",
    "00",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000::0001]",
    "[::ffff:127.0.0.1]",
    "[::FFFF:7f00:1]",
    "[::ffff:127.0.0.2]",
    "[::127.0.0.1]",
    "[::]",
    "[::1%25lo]",
    "[::1%lo]",
    "[127.0.0.1]",
    "[127.0.0.2]",
    "[v1.127.0.0.1]",
    "[::1",
    "::1",
    "ip6-localhost",
    "127.2",
    "0x7f.2",
    "2130706434",
    "127.0.0.2.",
    "127.0.0.2.127.0.0.1",
    "127.0.0.1.127.0.0.2",
    "127.0.0.1%00.127.0.0.2",
    "%31%32%37.0.0.1",
    "127.0.0.%31",
    "127.0.0.1%2e",
    "127。0。0。1",
    "１２７.0.0.1",
    "①②⑦.0.0.1",
    "127\u{2024}0.0.1",
    "localh\u{f6}st",
    "l\u{43e}calhost",
    "xn--lclhost-9za",
    "*",
    "*.0.0.1",
    "",
    " ",
    "null",
];

/// The hosts that are home's own, however they are spelled.
const OWN: &[&str] = &["127.0.0.2"];

const SCHEMES: &[&str] = &[
    "http://",
    "http://",
    "http://",
    "http://",
    "ws://",
    "WS://",
    "wss://",
    "https://",
    "HTTP://",
    "hTTp://",
    "ftp://",
    "file://",
    "http:",
    "http:/",
    "http:///",
    "http:\\\\",
    "//",
    "://",
    "",
    "http://http://",
    "ws://http://",
    "javascript:",
    "http+unix://",
    "h\u{0}ttp://",
    "\thttp://",
];

/// What may stand before a host; `U` is the untrusted port, here and below.
const USERS: &[&str] = &[
    "@",
    "user@",
    "user:pw@",
    ":@",
    "127.0.0.2@",
    "127.0.0.2:80@",
    "127.0.0.2%40",
    "127.0.0.2\\@",
    "127.0.0.2/@",
    "127.0.0.2?@",
    "127.0.0.2#@",
    "a@b@",
    "%",
    "127.0.0.1:U@",
    "localhost:U/@",
    "127.0.0.1:U#@",
    "127.0.0.1:U\\@",
    "127.0.0.1:U\t@",
    "127.0.0.1:U\r\n",
];

/// `O` is the port of the other region.
const PORTS: &[&str] = &[
    ":U",
    ":U",
    ":U",
    ":U",
    ":U",
    ":O",
    "",
    ":",
    ":0",
    ":0U",
    ":+U",
    ": U",
    ":U ",
    ":U:U",
    ":U:O",
    ":O:U",
    ":99999",
    ":-1",
    ":0xU",
    ":Ua",
    ":\u{661}",
    ":U@127.0.0.2:O",
    ":U\u{0}",
    ":%U",
];

const TAILS: &[&str] = &[
    "",
    "",
    "",
    "",
    "/",
    "//",
    "/.",
    "/rtc",
    "/../",
    "?",
    "?q",
    "#",
    "#f",
    "/?q#f",
    "\\",
    " ",
    "\n",
    "\u{0}",
    "/@127.0.0.2",
    "?@127.0.0.2",
    "#@127.0.0.2",
    ";",
    ",",
    "//127.0.0.1:U/",
    "\u{feff}",
];

/// JSON that is no URL.
const ODD: &[&str] = &[
    "null",
    "true",
    "0",
    "-1.5e9",
    "1e999",
    "[]",
    "{}",
    r#"["http://127.0.0.1:U"]"#,
    r#"{"url":"http://127.0.0.1:U"}"#,
    r#"[{"url":"http://127.0.0.1:U"}]"#,
    "[[[[[]]]]]",
    r#""\ud83d\ude00""#,
    r#""\ud83d""#,
    r#""\u0000""#,
    r#""""#,
];

/// What is known of the servers before there is a list.
#[derive(Clone, Copy, Debug)]
struct Ports {
    untrusted: u16,
    other: u16,
}

impl Ports {
    fn good(self) -> String {
        format!("http://{TRUSTED}:{}", self.other)
    }

    fn fill(self, text: &str) -> String {
        let text = text.replace('U', &self.untrusted.to_string());
        text.replace('O', &self.other.to_string())
    }

    fn select(self, from: &'static [&'static str]) -> impl Strategy<Value = String> {
        select(from).prop_map(move |text| self.fill(text))
    }
}

/// What may happen to a text.
#[derive(Clone, Debug)]
enum Twist {
    Upper(Index),
    Percent(Index),
    Insert(Index, char),
    Remove(Index),
}

fn twist() -> impl Strategy<Value = Twist> {
    let odd = "\0\t\n\r \u{7f}\u{85}\u{a0}\u{200b}\u{202e}\u{2028}\u{feff}.:/@#?%\\[]*-_";
    let odd: Vec<char> = odd.chars().collect();
    prop_oneof![
        any::<Index>().prop_map(Twist::Upper),
        any::<Index>().prop_map(Twist::Percent),
        (any::<Index>(), prop_oneof![select(odd), any::<char>()])
            .prop_map(|(at, c)| Twist::Insert(at, c)),
        any::<Index>().prop_map(Twist::Remove),
    ]
}

fn twisted(text: String, twist: &Twist) -> String {
    let mut chars: Vec<String> = text.chars().map(String::from).collect();
    let (Twist::Upper(at) | Twist::Percent(at) | Twist::Insert(at, _) | Twist::Remove(at)) = twist;
    let at = at.index(chars.len() + 1);
    match twist {
        Twist::Insert(_, c) => chars.insert(at, c.to_string()),
        _ if at == chars.len() => {}
        Twist::Upper(_) => chars[at] = chars[at].to_uppercase(),
        Twist::Percent(_) => {
            chars[at] = chars[at].bytes().map(|b| format!("%{b:02x}")).collect();
        }
        Twist::Remove(_) => drop(chars.remove(at)),
    }
    chars.concat()
}

fn url(ports: Ports) -> impl Strategy<Value = String> {
    let host = prop_oneof![6 => select(HOSTS), 1 => select(OWN)];
    let parts = (
        select(SCHEMES),
        option::weighted(0.2, ports.select(USERS)),
        host,
        ports.select(PORTS),
        ports.select(TAILS),
    );
    let parts = parts.prop_map(|(scheme, user, host, port, tail)| {
        format!("{scheme}{}{host}{port}{tail}", user.unwrap_or_default())
    });
    let url = (parts, vec(twist(), 0..3));
    let url = url.prop_map(|(url, twists)| twists.iter().fold(url, twisted));
    // Most are at least well formed.
    let plain = select(HOSTS).prop_map(move |host| format!("http://{host}:{}", ports.untrusted));
    prop_oneof![2 => url, 1 => plain, 1 => "\\PC{0,20}"]
}

/// One entry of a list, as JSON, and whether it is a good one.
fn entry(ports: Ports) -> impl Strategy<Value = (String, bool)> {
    let good = ports.good();
    let name = || prop_oneof![Just("eu".to_owned()), "\\PC{0,8}", url(ports)];
    let named = (name(), value(ports));
    let named =
        named.prop_map(|(name, url)| format!(r#"{{"region":{},"url":{url}}}"#, json!(name)));
    // The good URL beside another one: which is meant depends on the reader.
    let both = select(vec![
        r#"{"url":"G","url":V}"#,
        r#"{"url":V,"url":"G"}"#,
        r#"{"url":"G","\u0075rl":V}"#,
        r#"{"url":"G","URL":V,"uri":V,"region":V}"#,
        r#"{"url":"G","distance":V,"regions":[{"url":V}]}"#,
    ]);
    let both = (both, value(ports));
    let both = both.prop_map({
        let good = good.clone();
        move |(both, value)| both.replace('G', &good).replace('V', &value)
    });
    let good = format!(r#"{{"region":"good","url":"{good}","distance":"1"}}"#);
    prop_oneof![
        3 => Just((good, true)),
        6 => named.prop_map(|entry| (entry, false)),
        4 => both.prop_map(|entry| (entry, false)),
        1 => value(ports).prop_map(|entry| (entry, false)),
    ]
}

fn value(ports: Ports) -> impl Strategy<Value = String> {
    let url = url(ports).prop_map(|url| json!(url).to_string());
    prop_oneof![5 => url, 1 => ports.select(ODD)]
}

/// A list as it is sent.
#[derive(Clone, Debug)]
struct Sent {
    status: u16,
    body: String,
    cache_control: Option<&'static str>,
    /// Whether this is a list, if with odd entries, and the other region is in it.
    names_other: bool,
}

fn sent(ports: Ports) -> impl Strategy<Value = Sent> {
    let shape = prop_oneof![
        10 => Just("{\"regions\":[*]}"),
        1 => Just("\u{feff}{\"version\":2,\"regions\":[*],\"next\":\"http://127.0.0.1:U\"}"),
        1 => Just("[*]"),
        1 => Just("{\"regions\":{\"regions\":[*]}}"),
        1 => Just("{\"regions\":[[*]]}"),
        1 => Just("{\"regions\":[*],\"regions\":[{\"url\":\"http://127.0.0.1:U\"}]}"),
        1 => Just("{\"regions\":[{\"url\":\"http://127.0.0.1:U\"}],\"regions\":[*]}"),
        1 => Just("{\"regions\":[*]}{\"regions\":[{\"url\":\"http://127.0.0.1:U\"}]}"),
        1 => Just("{\"regions\":[*"),
    ];
    let status =
        prop_oneof![8 => Just(200), 1 => select(vec![201_u16, 206, 301, 302, 307, 308, 421, 500])];
    let cache = option::of(select(vec!["max-age=60", "max-age=0", "no-store"]));
    (
        vec(entry(ports), 0..12),
        shape,
        status,
        cache,
        option::weighted(0.1, twist()),
    )
        .prop_map(move |(entries, shape, status, cache_control, twist)| {
            let is_list = shape == "{\"regions\":[*]}" && status == 200 && twist.is_none();
            let names_other = is_list && entries.iter().any(|(_, is_good)| *is_good);
            let entries: Vec<_> = entries.into_iter().map(|(entry, _)| entry).collect();
            let body = ports.fill(shape).replace('*', &entries.join(","));
            Sent {
                status,
                body: twist.iter().fold(body, twisted),
                cache_control,
                names_other,
            }
        })
}

/// 256 cases, the same on every machine; `PROPTEST_CASES` and `PROPTEST_RNG_SEED` look further.
fn config() -> ProptestConfig {
    let mut config = ProptestConfig {
        failure_persistence: None,
        // In milliseconds: a case that fails takes seconds.
        max_shrink_time: 30_000,
        ..ProptestConfig::default()
    };
    if let RngSeed::Random = config.rng_seed {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config
}

struct World {
    home: Server,
    other: Server,
    untrusted: Untrusted,
    http: HttpClient,
}

impl World {
    async fn start() -> Self {
        Self {
            home: Server::http1_on("home", TRUSTED).await,
            other: Server::http1_on("other", TRUSTED).await,
            untrusted: Untrusted::start(),
            http: http_client(),
        }
    }

    fn ports(&self) -> Ports {
        let other = self.other.origin();
        let (_, other) = other.rsplit_once(':').expect("a port");
        Ports {
            untrusted: self.untrusted.port(),
            other: other.parse().expect("a number"),
        }
    }

    /// The outcome of a case, which fails too if there was a contact. One that failed leaves none to
    /// the next, or what is shrunk to would tell nothing.
    fn no_contact(&self, outcome: Result<(), TestCaseError>) -> Result<(), TestCaseError> {
        let contacts = self.untrusted.contacts();
        outcome?;
        prop_assert_eq!(contacts, 0);
        Ok(())
    }

    async fn check(&self, sent: &Sent, failure: u16) -> Result<(), TestCaseError> {
        let untrusted = format!("http://127.0.0.1:{}{PATH}", self.untrusted.port());
        let mut headers = vec![("location", untrusted)];
        headers.extend(
            sent.cache_control
                .map(|value| ("cache-control", value.to_owned())),
        );
        let list = Fault::Answer(sent.status, headers, sent.body.clone().into());
        self.home.set(Fault::Status(failure)).await;
        self.home.set_at(PATH, list).await;

        let contacted = Arc::<Mutex<BTreeSet<String>>>::default();
        let contacts = contacted.clone();
        let http =
            self.http
                .clone()
                .map_request(move |request: Request<ReplayBody<Full<Bytes>>>| {
                    let host = request.uri().host().unwrap_or_default().to_owned();
                    contacts.lock().unwrap().insert(host);
                    request
                });
        // Whoever is not to be contacted does not answer, and the call ends all the same.
        let layer = layer()
            .max_attempts(40)
            .budget(Budget::unlimited())
            .total_timeout(Duration::from_secs(5));
        let client = layer.layer(http);
        for _ in 0..2 {
            let call = client.clone().oneshot(get(&self.home.origin()));
            let outcome = tokio::time::timeout(PATIENCE, call).await;
            match outcome.expect("an outcome in time") {
                Ok(response) => {
                    let region = response.headers()["x-region"].to_str().unwrap();
                    match response.status().as_u16() {
                        200 => prop_assert_eq!(region, "other"),
                        status => prop_assert_eq!((status, region), (failure, "home")),
                    }
                    let served = response.extensions().get::<Served>();
                    are_trusted(served.map_or(&[], Served::attempts))?;
                    if sent.names_other {
                        prop_assert_eq!(response.status(), 200);
                    }
                }
                Err(error) => are_trusted(error.attempts())?,
            }
            let refresh = layer.handle().refresh(self.home.origin());
            let refresh = tokio::time::timeout(PATIENCE, refresh).await;
            // Of what is no list an error comes, and that is all.
            drop(refresh.expect("an end in time"));
        }
        let contacted = contacted.lock().unwrap();
        prop_assert_eq!(contacted.iter().collect::<Vec<_>>(), ["127.0.0.2"]);
        Ok(())
    }
}

fn are_trusted(attempts: &[AttemptRecord]) -> Result<(), TestCaseError> {
    for attempt in attempts {
        prop_assert_eq!(attempt.region().origin().host(), "127.0.0.2");
    }
    Ok(())
}

#[test]
fn no_list_leads_to_an_untrusted_server() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let world = runtime.block_on(World::start());
    let strategy = (sent(world.ports()), select(vec![503_u16, 421, 451]));
    let checked = TestRunner::new(config()).run(&strategy, |(sent, failure)| {
        runtime.block_on(async { world.no_contact(world.check(&sent, failure).await) })
    });
    if let Err(error) = checked {
        panic!("{error}");
    }
}
