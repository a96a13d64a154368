//! What holds for homes that have names: nobody else's name is even asked for.

use std::{collections::BTreeSet, future::ready, io, iter, net::SocketAddr};

use http::Uri;
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, dns::Name},
    },
    rt::TokioExecutor,
};
use tower::service_fn;
use tower_failover::{Discovery, FailoverLayer, Region, RegionList};

use super::*;

/// A host that is called, and what is its owner's.
#[derive(Clone, Copy, Debug)]
struct Home {
    host: &'static str,
    /// What its owner registered; of those `alone` what would look like it.
    domain: &'static str,
    suffix: &'static str,
    /// Whether no other host is its owner's: it is an address, or itself a public suffix.
    alone: bool,
}

const fn named(host: &'static str, domain: &'static str, suffix: &'static str) -> Home {
    Home {
        host,
        domain,
        suffix,
        alone: false,
    }
}

const fn alone(host: &'static str, domain: &'static str, suffix: &'static str) -> Home {
    Home {
        host,
        domain,
        suffix,
        alone: true,
    }
}

const HOMES: &[Home] = &[
    named("api.example.com", "example.com", "com"),
    named("shop.example.com", "example.com", "com"),
    named("example.com", "example.com", "com"),
    named("api.example.com.", "example.com", "com"),
    named("api.example.co.uk", "example.co.uk", "co.uk"),
    named("me.github.io", "me.github.io", "github.io"),
    named("api.me.github.io", "me.github.io", "github.io"),
    alone("github.io", "github.io", "io"),
    alone("intranet", "intranet", "intranet"),
    alone("127.0.0.2", "0.2", "2"),
    alone("127.0.0.2.", "0.2.", "2."),
    alone("127.0.0.0x2", "0.0x2", "0x2"),
    alone("[::ffff:127.0.0.2]", "0.2]", "2]"),
];

/// Hosts besides home's that are allowed; a pattern that is a public suffix allows nobody.
const ALLOWED: &[&[&str]] = &[
    &[],
    &[PARTNERS, PARTNER],
    &["*.com", "com", "*.co.uk", "*.github.io", "*.io", "*.net"],
];

const PARTNERS: &str = "*.example.net";
const PARTNER: &str = "partner.org";

/// Hosts as they are mostly written; here and below `{h}` is home's host, `{d}` its domain (`{D}` in
/// upper case) and `{s}` the public suffix.
const PLAIN: &[&str] = &[
    "{h}",
    "{d}",
    "eu.{d}",
    "eu.{h}",
    "EU.{D}",
    "eu.{d}.",
    "a.b.c.{d}",
    "eu_1.{d}",
    "xn--bcher-kva.{d}",
    "1.{d}",
    "eu.example.net",
    "A.Eu.Example.Net",
    "example.net",
    "evilexample.net",
    "partner.org",
    "eu.partner.org",
    "evilpartner.org",
    "127.1.{d}",
    "evil.net",
    "evil{d}",
    "{h}.evil.net",
    "you.{s}",
];

/// Hosts that are nobody's, somebody else's, or written so that this depends on the reader.
const ODD_HOSTS: &[&str] = &[
    "{s}",
    "{s}.",
    "com",
    "co.uk",
    "uk",
    "github.io",
    "io",
    "net",
    "example.com",
    "example.org",
    "example.co.uk",
    "you.github.io",
    "me.github.io",
    "{d}.evil.net",
    "{d}.{s}",
    "{h}.{h}.evil.net",
    "{h}.com",
    "evil-{d}",
    "evil_{d}",
    "evil%2e{d}",
    "evil.net%00.{d}",
    "evil.net%2f.{d}",
    ".{d}",
    "..{d}",
    "eu..{d}",
    "{d}..",
    "{d}..evil.net",
    ".{s}",
    "..{s}",
    "*.{d}",
    "*",
    "-.{d}",
    "_.{d}",
    "l\u{f6}ndon.{d}",
    "eu.{d}\u{3002}evil.net",
    "ex\u{430}mple.com",
    "xn--exmple-4nf.com",
    "xn--.{s}",
    "localhost",
    "{d}.localhost",
    "LocalHost.localdomain",
    "{d}.1",
    "{h}.127.0.0.1",
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "2130706433",
    "0x7f.1",
    "127.0.0.2",
    "127.0.0.2.",
    "127.2",
    "127.1.0.2",
    "127.1.{d}.",
    "127.3.{d}.",
    "[::ffff:127.1.{d}",
    "[::ffff:127.3.{d}",
    "127.1.0.0x2",
    "evil.0.2",
    "evil.0.0x2",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:127.1.0.2]",
    "[::FFFF:7f00:2]",
    "eu.example.net.",
    ".example.net",
    "eu..example.net",
    "eu.example.net.evil.org",
    "eu.evilexample.net",
    "evil-example.net",
    "eu%2eexample.net",
    "",
];

/// Of these any host may be made; long ones are of 64 bytes and more.
const LABELS: &[&str] = &[
    "eu",
    "EU",
    "api",
    "evil",
    "example",
    "Example",
    "evilexample",
    "com",
    "COM",
    "co",
    "uk",
    "me",
    "you",
    "github",
    "io",
    "net",
    "org",
    "intranet",
    "localhost",
    "xn--p1ai",
    "_dns",
    "-",
    "*",
    "",
    "0",
    "2",
    "127",
    "0x2",
    "0xg",
    "{d}",
    "{D}",
    "{s}",
    "{h}",
    "long-long-long-long-long-long-long-long-long-long-long-long-long.",
];

const PLAIN_SCHEMES: &[&str] = &["http://", "https://"];

const ODD_SCHEMES: &[&str] = &[
    "http://",
    "https://",
    "ws://",
    "wss://",
    "HTTP://",
    "HTTPS://",
    "hTTp://",
    "WS://",
    "WSS://",
    "ftp://",
    "http:/",
    "http:",
    "//",
    "://",
    "",
    "https+http://",
];

const ODD_USERS: &[&str] = &[
    "@",
    "user@",
    "{h}@",
    "{h}:80@",
    "eu.{d}%40",
    "evil.net/@",
    "evil.net#@",
    "evil.net\\@",
];

/// `{o}` is the port of the other region, `{p}` that of home.
const ODD_PORTS: &[&str] = &[":{o}", ":{o}", ":{o}", ":{p}", "", ":", ":0", ":{o}{o}"];

const ODD_TAILS: &[&str] = &[
    "", "", "", "/", "/.{d}", "?.{d}", "#.{d}", "\\.{d}", "@{h}:{o}", "/@{h}",
];

impl Home {
    /// Whether a list may name `host`, with these patterns allowed.
    fn may_name(&self, host: &str, allowed: &[&str]) -> bool {
        let host = host.to_ascii_lowercase();
        let own = host.strip_suffix('.').unwrap_or(&host);
        host == self.host
            || !self.alone && (own == self.domain || is_below(own, self.domain))
            || allowed.contains(&PARTNERS) && is_below(&host, "example.net")
            || allowed.contains(&PARTNER) && host == PARTNER
    }
}

fn is_below(host: &str, domain: &str) -> bool {
    let labels = host.strip_suffix(domain);
    let labels = labels.and_then(|labels| labels.strip_suffix('.'));
    labels.is_some_and(|labels| !labels.split('.').any(str::is_empty))
}

/// An entry of a list before it is known what home is.
#[derive(Clone, Debug)]
enum Template {
    Plain(&'static str, &'static str),
    Odd(String, Vec<Twist>),
}

fn template() -> impl Strategy<Value = Template> {
    let plain = (select(PLAIN_SCHEMES), select(PLAIN));
    let host = prop_oneof![
        2 => select(PLAIN).prop_map(str::to_owned),
        4 => select(ODD_HOSTS).prop_map(str::to_owned),
        4 => vec(select(LABELS), 1..6).prop_map(|labels| labels.join(".")),
    ];
    let well_formed = (select(PLAIN_SCHEMES), host.clone());
    let well_formed = well_formed.prop_map(|(scheme, host)| format!("{scheme}{host}:{{o}}"));
    let odd = (
        select(ODD_SCHEMES),
        option::weighted(0.2, select(ODD_USERS)),
        host,
        select(ODD_PORTS),
        select(ODD_TAILS),
    );
    let odd = odd.prop_map(|(scheme, user, host, port, tail)| {
        format!("{scheme}{}{host}{port}{tail}", user.unwrap_or_default())
    });
    prop_oneof![
        2 => plain.prop_map(|(scheme, host)| Template::Plain(scheme, host)),
        3 => well_formed.prop_map(|url| Template::Odd(url, Vec::new())),
        3 => (odd, vec(twist(), 0..3)).prop_map(|(url, twists)| Template::Odd(url, twists)),
    ]
}

/// How a list comes to the layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    /// Home answers with it.
    Answered,
    /// By [`Handle::set_regions`](tower_failover::Handle::set_regions).
    Pushed,
    /// From a layer that trusts everybody.
    Restored,
    /// A service of the user's finds it.
    Found,
    /// A seed answers with it, for home does not.
    Seeded,
}

#[derive(Clone, Debug)]
struct Case {
    home: Home,
    scheme: &'static str,
    allowed: &'static [&'static str],
    urls: Vec<String>,
    /// Whether one of these is to be used.
    names_other: bool,
    route: Route,
    /// What home answers.
    failure: u16,
    /// Whether the other region fails too, so that all are tried.
    all_fail: bool,
}

fn case(world: &World) -> impl Strategy<Value = Case> + use<> {
    let ports = [port_of(&world.home), port_of(&world.other)];
    let route = select(vec![
        Route::Answered,
        Route::Pushed,
        Route::Restored,
        Route::Found,
        Route::Seeded,
    ]);
    (
        select(HOMES),
        select(vec!["http", "https"]),
        select(ALLOWED),
        vec(template(), 0..12),
        route,
        select(vec![503_u16, 421, 451]),
        any::<bool>(),
    )
        .prop_map(
            move |(home, scheme, allowed, templates, route, failure, all_fail)| {
                let mut case = Case {
                    home,
                    scheme,
                    allowed,
                    urls: Vec::new(),
                    names_other: false,
                    route,
                    failure,
                    all_fail,
                };
                for template in templates {
                    case.add(template, ports);
                }
                case
            },
        )
}

impl Case {
    fn add(&mut self, template: Template, [home, other]: [u16; 2]) {
        let fill = |text: &str| {
            text.replace("{h}", self.home.host)
                .replace("{d}", self.home.domain)
                .replace("{D}", &self.home.domain.to_ascii_uppercase())
                .replace("{s}", self.home.suffix)
                .replace("{p}", &home.to_string())
                .replace("{o}", &other.to_string())
        };
        let url = match template {
            Template::Plain(scheme, host) => {
                let host = fill(host);
                let scheme = scheme.trim_end_matches("://");
                self.names_other |= self.may_call(scheme, &host);
                format!("{scheme}://{host}:{other}")
            }
            Template::Odd(text, twists) => twists.iter().fold(fill(&text), twisted),
        };
        self.urls.push(url);
    }

    fn may_name(&self, host: &str) -> bool {
        self.home.may_name(host, self.allowed)
    }

    /// Whether requests may be made to such an origin.
    fn may_call(&self, scheme: &str, host: &str) -> bool {
        (scheme == "https" || self.scheme == "http") && self.may_name(host)
    }

    fn may_call_all(&self, attempts: &[AttemptRecord]) -> Result<(), TestCaseError> {
        for attempt in attempts {
            let origin = attempt.region().origin();
            prop_assert!(self.may_call(origin.scheme(), origin.host()), "{}", origin);
        }
        Ok(())
    }

    fn regions(&self) -> RegionList {
        let region = |url: &String| Region::new("", url).ok();
        RegionList::new(self.urls.iter().filter_map(region).collect())
    }

    /// A layer for this case, and the list in it unless somebody answers with that.
    fn layer(&self, home: &str, seed: &str) -> Result<FailoverLayer, TestCaseError> {
        let discovery = match self.route {
            Route::Found => {
                let regions = self.regions();
                source(move |_| ready(Ok(regions.clone()))).0
            }
            Route::Seeded => Discovery::http(PATH).seeds([seed]).expect("an origin"),
            Route::Answered | Route::Pushed | Route::Restored => Discovery::http(PATH),
        };
        let layer = layer_of(discovery.allow(self.allowed))
            .max_attempts(40)
            .budget(Budget::unlimited())
            .total_timeout(Duration::from_secs(5));
        match self.route {
            Route::Answered | Route::Found | Route::Seeded => {}
            Route::Pushed => {
                let pushed = layer.handle().set_regions(home, self.regions());
                prop_assert!(pushed.is_ok() || !self.names_other, "{:?}", pushed);
            }
            Route::Restored => {
                let trusting = layer_with(Discovery::allow_any).handle();
                drop(trusting.set_regions(home, self.regions()));
                layer.handle().restore_snapshot(&trusting.snapshot());
            }
        }
        Ok(layer)
    }
}

fn port_of(server: &Server) -> u16 {
    let address: SocketAddr = server.authority().parse().expect("an address");
    address.port()
}

/// What was asked for.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<BTreeSet<String>>>);

impl Seen {
    fn add(&self, text: impl ToString) {
        self.0.lock().unwrap().insert(text.to_string());
    }

    fn all(&self) -> BTreeSet<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Where nobody listens.
const NOBODY: u16 = 1;

impl World {
    /// Where a connector without TLS goes for `uri`, so that who may be named is at [`TRUSTED`], and
    /// everybody else the untrusted, whichever port is written.
    fn reroute(case: &Case, uri: &Uri, ports: [u16; 2], untrusted: u16) -> Uri {
        let host = uri.host().unwrap_or_default();
        let is_good = case.may_name(host);
        let port = match uri.port_u16() {
            _ if !is_good => untrusted,
            Some(port) if ports.contains(&port) => port,
            _ => NOBODY,
        };
        // The resolver is not asked for these.
        let is_literal = host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok();
        let host = match (is_literal, is_good) {
            (false, _) => host.to_owned(),
            (true, true) => TRUSTED.to_string(),
            (true, false) => Ipv4Addr::LOCALHOST.to_string(),
        };
        let uri = format!("{}://{host}:{port}/", uri.scheme_str().unwrap_or_default());
        uri.parse().expect("a URI")
    }

    async fn call_in(&self, case: &Case) -> Result<(), TestCaseError> {
        let ports = [port_of(&self.home), port_of(&self.other)];
        let [home, seed] = ports.map(|port| format!("{}://{}:{port}", case.scheme, case.home.host));
        self.home.set(Fault::Status(case.failure)).await;
        self.other
            .set(if case.all_fail {
                Fault::Status(502)
            } else {
                Fault::None
            })
            .await;

        let (names, origins) = (Seen::default(), Seen::default());
        let (asked, known) = (names.clone(), case.clone());
        let resolver = service_fn(move |name: Name| {
            asked.add(&name);
            let host = match known.may_name(name.as_str()) {
                true => TRUSTED,
                false => Ipv4Addr::LOCALHOST,
            };
            ready(io::Result::Ok(iter::once(SocketAddr::from((host, 0)))))
        });
        let mut connector = HttpConnector::new_with_resolver(resolver);
        connector.enforce_http(false);
        let (known, untrusted) = (case.clone(), self.untrusted.port());
        let connector =
            connector.map_request(move |uri: Uri| Self::reroute(&known, &uri, ports, untrusted));
        let http: Client<_, ReplayBody<Full<Bytes>>> =
            Client::builder(TokioExecutor::new()).build(connector);
        let requests = origins.clone();
        let http = http.map_request(move |request: Request<ReplayBody<Full<Bytes>>>| {
            let uri = request.uri();
            let scheme = uri.scheme_str().unwrap_or_default();
            requests.add(format!("{scheme}://{}", uri.host().unwrap_or_default()));
            request
        });

        // A call is sent away once. A list may lead it home under another name, where it is again.
        let home_port = format!(":{}", ports[0]);
        let names_home = case.urls.iter().any(|url| url.contains(&home_port));
        let is_sent_home = names_home && case.failure != 503;

        let layer = case.layer(&home, &seed)?;
        let client = layer.layer(http);
        for answers in [true, false] {
            for (server, route) in [(&self.home, Route::Answered), (&self.other, Route::Seeded)] {
                let list = match answers && route == case.route {
                    true => lists(&case.urls),
                    false => Fault::Status(500),
                };
                server.set_at(PATH, list).await;
            }
            let call = client.clone().oneshot(get(&home));
            let outcome = tokio::time::timeout(PATIENCE, call).await;
            match outcome.expect("an outcome in time") {
                Ok(response) => {
                    let served = response.extensions().get::<Served>();
                    case.may_call_all(served.map_or(&[], Served::attempts))?;
                    if case.names_other && !case.all_fail && !is_sent_home {
                        prop_assert_eq!(&response.headers()["x-region"], "other");
                        prop_assert_eq!(response.status(), 200);
                    }
                }
                Err(error) => {
                    case.may_call_all(error.attempts())?;
                    prop_assert!(!case.names_other || case.all_fail, "{}", error);
                }
            }
            let refresh = layer.handle().refresh(&home);
            let refresh = tokio::time::timeout(PATIENCE, refresh).await;
            // Without a list an error comes, and that is all.
            drop(refresh.expect("an end in time"));
        }
        for origin in origins.all() {
            let (scheme, host) = origin.split_once("://").expect("a scheme");
            prop_assert!(case.may_call(scheme, host), "{}", origin);
        }
        for name in names.all() {
            prop_assert!(case.may_name(&name), "{}", name);
        }
        Ok(())
    }
}

#[test]
fn no_list_leads_to_a_host_of_another_owner_or_out_of_encryption() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let world = runtime.block_on(World::start());
    let checked = TestRunner::new(config()).run(&case(&world), |case| {
        runtime.block_on(async { world.no_contact(world.call_in(&case).await) })
    });
    if let Err(error) = checked {
        panic!("{error}");
    }
}
