use std::{
    io::Write,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use failover_cluster::{Fault, Server};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpSocket, TcpStream},
    sync::watch,
};
use tower::Layer;
use tower_failover::{Discovery, FailoverLayer, Health};

use crate::support::*;

const KIB: usize = 1024;
const MAX: usize = 64 * KIB;
const TOO_LARGE: &str = "the document is larger than 64 KiB";

/// A layer that waits for a list for longer than the test does for an outcome.
fn patient() -> FailoverLayer {
    within(PATIENCE * 10)
}

fn within(timeout: Duration) -> FailoverLayer {
    layer_with(|discovery| discovery.timeout(timeout)).health(Health::off())
}

async fn outcome(client: &FailoverClient, home: &str) -> (u16, String) {
    answer(client, get(home)).await
}

/// Fetches the list, in time; what is wrong with it.
async fn refresh(layer: &FailoverLayer, home: &str) -> Result<(), String> {
    let refresh = tokio::time::timeout(PATIENCE, layer.handle().refresh(home));
    refresh.await.expect("an end in time").map_err(|error| {
        let text = error.to_string();
        let reason = text.strip_prefix(&format!("no list of the regions of {home}: "));
        reason.expect("home is named").to_owned()
    })
}

/// How many regions are known of the only home.
fn known(layer: &FailoverLayer) -> usize {
    let json = serde_json::to_value(layer.handle().snapshot()).unwrap();
    json["homes"][0]["regions"].as_array().unwrap().len()
}

fn document(body: impl Into<Bytes>) -> Fault {
    Fault::Answer(200, Vec::new(), body.into())
}

/// A home that fails all calls and answers as told when it is asked for its list, and a region that a
/// good list names.
async fn regions(list: Fault) -> (Server, Server) {
    let (home, other) = (Server::http1("home").await, Server::http1("other").await);
    home.set(Fault::Status(503)).await;
    home.set_at(PATH, list).await;
    (home, other)
}

/// Has a list refused: the call ends with its own outcome, the error says why, and the next list is
/// taken. Tells why.
async fn refused_by(layer: FailoverLayer, list: Fault) -> String {
    let layer = &layer;
    let (home, other) = regions(list).await;
    let (origin, client) = (home.origin(), client(layer));
    assert_eq!(outcome(&client, &origin).await, (503, "home".to_owned()));
    let reason = refresh(layer, &origin).await.expect_err("a bad list");

    home.set_at(PATH, lists(&[other.origin()])).await;
    refresh(layer, &origin).await.expect("a good list");
    assert_eq!(outcome(&client, &origin).await, (200, "other".to_owned()));
    assert_eq!((home.hits(), home.hits_at(PATH), other.hits()), (5, 3, 1));
    match reason.strip_prefix(&format!("{origin} (")) {
        Some(reason) => reason.strip_suffix(')').expect("an end").to_owned(),
        None => reason,
    }
}

async fn refused(list: Fault) -> String {
    refused_by(patient(), list).await
}

/// A list that is taken and names the region with this text in place of `ORIGIN`. Tells how many
/// regions are known then.
async fn taken(list: &str) -> usize {
    let (home, other) = regions(Fault::None).await;
    let list = list.replace("ORIGIN", &other.origin());
    home.set_at(PATH, document(list)).await;
    let layer = patient();
    let client = client(&layer);
    let (status, region) = outcome(&client, &home.origin()).await;
    assert_eq!((status, region.as_str()), (200, "other"));
    assert_eq!((home.hits(), home.hits_at(PATH), other.hits()), (2, 1, 1));
    known(&layer)
}

/// A list that is taken but names nobody: the call ends with its own outcome.
async fn empty(list: impl Into<Bytes>) {
    let (home, _other) = regions(document(list)).await;
    let layer = patient();
    let (status, region) = outcome(&client(&layer), &home.origin()).await;
    assert_eq!((status, region.as_str()), (503, "home"));
    assert_eq!((home.hits(), home.hits_at(PATH)), (2, 1));
    assert_eq!(known(&layer), 0);
}

#[tokio::test]
async fn a_status_other_than_200_is_no_list() {
    for status in [201, 202, 203, 204, 206, 400, 401, 403, 404, 421, 429, 451] {
        let list = json_of(&["http://127.0.0.1"]);
        // A 204 has no body.
        let list = if status == 204 { String::new() } else { list };
        let answer = Fault::Answer(status, Vec::new(), list.into());
        assert_eq!(refused(answer).await, status.to_string());
    }
    for status in [500, 501, 502, 503, 504] {
        assert_eq!(refused(Fault::Status(status)).await, status.to_string());
    }
    for status in [300, 304, 307] {
        let reason = format!("{status}, redirects are not followed");
        assert_eq!(refused(Fault::Status(status)).await, reason);
    }
}

#[tokio::test]
async fn an_encoded_list_is_not_unpacked() {
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xabV*JM\xcf\xcc\xcf+V\xb2\x8a\xae\xad\x05\0";
    for encoding in ["gzip", "x-gzip", "deflate", "br", "zstd", "identity, gzip"] {
        let headers = vec![("content-encoding", encoding.to_owned())];
        for body in [Bytes::from_static(gzip), Bytes::from_static(b"{}")] {
            let list = Fault::Answer(200, headers.clone(), body);
            assert_eq!(refused(list).await, "the document is encoded", "{encoding}");
        }
    }
    let reason = refused(document(gzip.as_slice())).await;
    assert_eq!(reason, "no JSON from line 1, column 1", "unlabelled");
}

#[tokio::test]
async fn an_encoding_that_is_none_does_no_harm() {
    for encoding in ["identity", "Identity"] {
        let (home, other) = regions(Fault::None).await;
        let headers = vec![("content-encoding", encoding.to_owned())];
        let list = Fault::Answer(200, headers, json_of(&[other.origin()]).into());
        home.set_at(PATH, list).await;
        let (status, region) = outcome(&client(&patient()), &home.origin()).await;
        assert_eq!((status, region.as_str()), (200, "other"), "{encoding}");
    }
}

#[tokio::test]
async fn what_is_no_json_object_is_refused_with_its_reason() {
    let deep = |open: &str| format!("{{\"regions\":{}", open.repeat(10_000));
    for (list, reason) in [
        ("", "the JSON ends too early"),
        (" ", "the JSON ends too early"),
        ("{", "the JSON ends too early"),
        (
            r#"{"regions":[{"url":"http://127.0.0.1"}"#,
            "the JSON ends too early",
        ),
        (
            r#"{"regions":[{"url":"http://127"#,
            "the JSON ends too early",
        ),
        (&deep("["), "the JSON ends too early"),
        (&deep("{\"a\":"), "the JSON ends too early"),
        ("[]", "no JSON object"),
        (r#"[{"url":"http://127.0.0.1"}]"#, "no JSON object"),
        ("null", "no JSON object"),
        ("1", "no JSON object"),
        (r#""regions""#, "no JSON object"),
        (r#"{"regions":{}}"#, "`regions` is no list"),
        (r#"{"regions":"http://127.0.0.1"}"#, "`regions` is no list"),
        (r#"{"regions":1}"#, "`regions` is no list"),
        ("<html>no</html>", "no JSON from line 1, column 1"),
        ("{\n\"regions\":[],}", "no JSON from line 2, column 14"),
        ("{}{}", "no JSON from line 1, column 3"),
        ("\u{feff}\u{feff}{}", "no JSON from line 1, column 1"),
        ("{'regions':[]}", "no JSON from line 1, column 2"),
    ] {
        let shown: String = list.chars().take(40).collect();
        assert_eq!(refused(document(list.to_owned())).await, reason, "{shown}");
    }
}

#[tokio::test]
async fn what_is_no_utf_8_is_refused() {
    for list in [
        b"{\"regions\":[{\"url\":\"http://127.0.0.1/\xff\"}]}".as_slice(),
        b"{\"\xc3\x28\":[]}",
        b"\xff\xfe{\0}\0",
    ] {
        let reason = refused(document(list)).await;
        assert!(reason.starts_with("no JSON from line 1, "), "{reason}");
    }
}

#[tokio::test]
async fn what_is_odd_around_a_good_entry_does_no_harm() {
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let long_name = "x".repeat(10_000);
    for (list, regions) in [
        (r#"{"regions":[{"url":"ORIGIN"}]}"#, 1),
        ("\u{feff}{\"regions\":[{\"url\":\"ORIGIN\"}]}", 1),
        ("\r\n\t {\"regions\" : [ {\"url\" : \"ORIGIN\" } ] }\r\n", 1),
        (
            r#"{"regions":[{"region":"eu","url":"ORIGIN","distance":"12"}]}"#,
            1,
        ),
        (
            r#"{"regions":[{"region":"eu","url":"ORIGIN","distance":12}]}"#,
            1,
        ),
        (
            r#"{"regions":[{"region":"eu","url":"ORIGIN","distance":null}]}"#,
            1,
        ),
        (
            r#"{"regions":[{"region":"eu","url":"ORIGIN","distance":1e999}]}"#,
            1,
        ),
        (
            r#"{"regions":[{"region":"eu","url":"ORIGIN","distance":{"a":[]}}]}"#,
            1,
        ),
        (r#"{"regions":[{"region":7,"url":"ORIGIN"}]}"#, 1),
        (r#"{"regions":[{"region":null,"url":"ORIGIN"}]}"#, 1),
        (r#"{"regions":[{"region":"","url":"ORIGIN"}]}"#, 1),
        (r#"{"regions":[{"region":"a\u0007b","url":"ORIGIN"}]}"#, 1),
        (
            &format!(r#"{{"regions":[{{"region":"{long_name}","url":"ORIGIN"}}]}}"#),
            1,
        ),
        (
            r#"{"version":2,"regions":[{"url":"ORIGIN","weight":[1,{}]}],"next":null}"#,
            1,
        ),
        (
            &format!(r#"{{"deep":{deep},"regions":[{{"url":"ORIGIN"}}]}}"#),
            1,
        ),
        (&format!(r#"{{"regions":[{deep},{{"url":"ORIGIN"}}]}}"#), 1),
        (
            &format!(r#"{{"regions":[{{"url":"ORIGIN","x":{deep}}}]}}"#),
            1,
        ),
        (
            r#"{"regions":[null,1,"a",[],{},{"url":1},{"url":""},{"url":"ORIGIN"}]}"#,
            1,
        ),
        (r#"{"regions":[{"url":"ORIGIN"},{"url":"ORIGIN/"}]}"#, 1),
        (r#"{"regions":[{"url":1,"url":"ORIGIN"}]}"#, 1),
        (r#"{"regions":7,"regions":[{"url":"ORIGIN"}]}"#, 1),
        (r#"{"regions":[{"\u0075rl":"ORIGIN"}]}"#, 1),
    ] {
        let shown: String = list.chars().take(60).collect();
        assert_eq!(taken(list).await, regions, "{shown}");
    }
}

#[tokio::test]
async fn a_list_of_nobody_is_a_list() {
    for list in [
        "{}",
        r#"{"regions":null}"#,
        r#"{"regions":[]}"#,
        "\u{feff}{}",
        r#"{"region":"eu"}"#,
        r#"{"Regions":[{"url":"http://127.0.0.1:1"}]}"#,
    ] {
        empty(list).await;
    }
}

#[tokio::test]
async fn a_list_without_one_good_entry_is_none() {
    for list in [
        r#"{"regions":[{"region":"eu"}]}"#,
        r#"{"regions":[{"url":null}]}"#,
        r#"{"regions":[{"URL":"http://127.0.0.1:1"}]}"#,
        r#"{"regions":[{"url":["http://127.0.0.1:1"]}]}"#,
        r#"{"regions":[{"url":"http://10.0.0.1"}, 0]}"#,
    ] {
        let reason = refused(document(list)).await;
        assert_eq!(reason, "no entry of the list can be used", "{list}");
    }
}

#[tokio::test]
async fn a_list_of_very_many_is_bounded() {
    // The first of them is home, and the second the region that the call goes on to.
    let many = |n: usize| {
        let port = |n| format!(r#"{{"url":"http://127.0.0.1:{}"}}"#, n + 1);
        let more: Vec<_> = (0..n).map(port).collect();
        format!(r#"{{"regions":[{{"url":"ORIGIN"}},{}]}}"#, more.join(","))
    };
    assert_eq!(taken(&many(10)).await, 11);
    assert_eq!(taken(&many(31)).await, 32);
    assert_eq!(taken(&many(1500)).await, 32);
    let strangers = vec![r#"{"url":"http://10.0.0.1"}"#; 1500].join(",");
    let list = format!(r#"{{"regions":[{strangers},{{"url":"ORIGIN"}}]}}"#);
    assert_eq!(taken(&list).await, 1, "strangers take nobody's place");
    let nothing = format!(
        r#"{{"regions":[{}{{"url":"ORIGIN"}}]}}"#,
        "0,".repeat(30_000)
    );
    assert_eq!(taken(&nothing).await, 1);

    let list = many(100_000).replace("ORIGIN", "http://127.0.0.1:1");
    assert_eq!(refused(document(list)).await, TOO_LARGE);
    let list = format!(r#"{{"regions":[{}0]}}"#, "0,".repeat(100_000));
    assert_eq!(refused(document(list)).await, TOO_LARGE);
}

#[tokio::test]
async fn a_url_of_more_than_512_bytes_is_none() {
    let host = |n: usize| format!("http://{}", "a".repeat(n - "http://".len()));
    for (length, known) in [(512, 2), (513, 1)] {
        // It would be trusted, were it not too long.
        let (home, other) = regions(Fault::None).await;
        home.set_at(PATH, lists(&[other.origin(), host(length)]))
            .await;
        let layer = layer_with(Discovery::allow_any).health(Health::off());
        let (status, region) = outcome(&client(&layer), &home.origin()).await;
        assert_eq!((status, region.as_str()), (200, "other"));
        assert_eq!(self::known(&layer), known, "{length}");
    }
}

#[tokio::test]
async fn a_list_of_64_kib_is_taken_and_one_of_a_byte_more_is_not() {
    let padded = |length: usize, origin: &str| {
        let list = json_of(&[origin]);
        let blanks = " ".repeat(length - list.len());
        list + &blanks
    };
    let (home, other) = regions(Fault::None).await;
    let exact = padded(MAX, &other.origin());
    home.set_at(PATH, document(exact)).await;
    let (status, region) = outcome(&client(&patient()), &home.origin()).await;
    assert_eq!((status, region.as_str()), (200, "other"));

    let over = padded(MAX + 1, &other.origin());
    assert_eq!(refused(document(over)).await, TOO_LARGE);
    assert_eq!(refused(document(vec![b' '; 10_000_000])).await, TOO_LARGE);
}

#[tokio::test]
async fn a_list_that_breaks_off_is_refused() {
    let reason = refused(Fault::CutBody).await;
    assert_eq!(reason, "the document breaks off");
}

#[tokio::test]
async fn a_server_that_does_not_answer_in_http_is_not_reached() {
    for fault in [Fault::Close, Fault::Reset, Fault::HalfHead, Fault::Garbage] {
        assert_eq!(refused(fault).await, "not reached");
    }
}

#[tokio::test]
async fn a_list_that_does_not_end_in_time_is_given_up() {
    let whole = json_of(&["http://127.0.0.1:1"]);
    // Long enough for the good list at the end.
    let layer = || within(Duration::from_secs(1));
    let reasons = tokio::join!(
        refused_by(layer(), Fault::BlackHole),
        refused_by(layer(), Fault::Stall(200, Vec::new(), Bytes::new())),
        refused_by(
            layer(),
            Fault::Stall(200, Vec::new(), "{\"regions\":[".into())
        ),
        refused_by(layer(), Fault::Stall(200, Vec::new(), whole.into())),
    );
    let late = || "no answer in time".to_owned();
    assert_eq!(reasons, (late(), late(), late(), late()));
}

#[tokio::test]
async fn an_endless_list_is_refused() {
    assert_eq!(refused(Fault::Endless(200, Vec::new())).await, TOO_LARGE);
}

/// What [`Raw`] writes in answer to one request for the list.
enum Written {
    Once(Vec<u8>),
    /// A beginning, then this again and again.
    Endless(&'static str, Vec<u8>),
}

/// A home on a bare socket: fails calls, and answers each request for the list by what is next.
struct Raw {
    origin: String,
    /// How much was written of answers whose connection is closed now.
    closed: watch::Receiver<Vec<usize>>,
    asked: Arc<AtomicUsize>,
}

impl Raw {
    fn start(answers: Vec<Written>) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // What is written but not read is not to blur what is measured.
        socket.set_send_buffer_size(64 * KIB as u32).unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let origin = format!("http://{}", socket.local_addr().unwrap());
        let listener = socket.listen(16).unwrap();
        let (sizes, closed) = watch::channel(Vec::new());
        let (answers, asked) = (Arc::new(answers), Arc::<AtomicUsize>::default());
        let count = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answers, count) = (answers.clone(), count.clone());
                let sizes = sizes.clone();
                tokio::spawn(async move {
                    if let Some(size) = serve(stream, &answers, &count).await {
                        sizes.send_modify(|sizes| sizes.push(size));
                    }
                });
            }
        });
        Self {
            origin,
            closed,
            asked,
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Waits until that many answers have met a closed connection; how much was written of each.
    async fn closed(&mut self, answers: usize) -> Vec<usize> {
        let closed = self.closed.wait_for(|sizes| sizes.len() >= answers);
        let closed = tokio::time::timeout(PATIENCE, closed).await;
        closed.expect("closed in time").unwrap().clone()
    }
}

/// Serves a connection. When an endless answer ends with it, tells how much of it was written.
async fn serve(stream: TcpStream, answers: &[Written], asked: &AtomicUsize) -> Option<usize> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await.ok()? == 0 {
                return None;
            }
        }
        if !head.starts_with(&format!("GET {PATH} ")) {
            let failure = b"HTTP/1.1 503 No\r\nx-region: home\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(failure).await.ok()?;
            continue;
        }
        match &answers[asked.fetch_add(1, Ordering::SeqCst)] {
            Written::Once(answer) => stream.write_all(answer).await.ok()?,
            Written::Endless(beginning, again) => {
                let mut written = 0;
                let mut bytes = beginning.as_bytes();
                loop {
                    match stream.get_mut().write(bytes).await {
                        Ok(n) => {
                            written += n;
                            bytes = &bytes[n..];
                        }
                        Err(_) => return Some(written),
                    }
                    if bytes.is_empty() {
                        bytes = again;
                    }
                }
            }
        }
    }
}

fn chunked(chunks: &[&[u8]]) -> Vec<u8> {
    let mut answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for chunk in chunks {
        write!(answer, "{:x}\r\n", chunk.len()).unwrap();
        answer.extend_from_slice(chunk);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    answer
}

/// What the kernel and hyper may take of an answer that nobody reads on, by far.
const BUFFERED: usize = 4 * KIB * KIB;

/// A client for whom the kernel keeps little: left alone it would keep megabytes unread.
fn measured(layer: &FailoverLayer) -> FailoverClient {
    let mut connector = HttpConnector::new();
    connector.set_recv_buffer_size(Some(64 * KIB));
    layer.layer(Client::builder(TokioExecutor::new()).build(connector))
}

#[tokio::test]
async fn an_endless_answer_is_read_to_a_bound_and_its_connection_closed() {
    let chunk = |size: usize| {
        let mut chunk = format!("{size:x}\r\n").into_bytes();
        chunk.extend(vec![b' '; size]);
        chunk.extend(b"\r\n");
        chunk
    };
    let unreached = "not reached";
    for (beginning, again, reason) in [
        // A body up to the end of the connection, in chunks great and small, and of a length.
        ("HTTP/1.1 200 OK\r\n\r\n", vec![b' '; MAX], TOO_LARGE),
        (
            "HTTP/1.1 200 OK\r\n\r\n{\"a\":\"",
            vec![b'a'; 100],
            TOO_LARGE,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            chunk(MAX),
            TOO_LARGE,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            chunk(1),
            TOO_LARGE,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n",
            vec![b' '; MAX],
            TOO_LARGE,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9223372036854775807\r\n\r\n",
            vec![b' '; MAX],
            TOO_LARGE,
        ),
        // A status that is refused before its body is read.
        ("HTTP/1.1 404 No\r\n\r\n", vec![b' '; MAX], "404"),
        (
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n",
            vec![0; MAX],
            "the document is encoded",
        ),
        // Neither the head nor the words around a chunk end.
        ("HTTP/1.1 200 OK\r\n", b"x-a: b\r\n".to_vec(), unreached),
        ("HTTP/1.1 200 OK\r\nx-a: ", vec![b'a'; KIB], unreached),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;",
            vec![b'a'; KIB],
            "the document breaks off",
        ),
    ] {
        let other = Server::http1("other").await;
        let endless = || Written::Endless(beginning, again.clone());
        let good = json_of(&[other.origin()]);
        let good = Written::Once(chunked(&[good.as_bytes()]));
        let mut home = Raw::start(vec![endless(), endless(), good]);
        let (origin, layer) = (home.origin.clone(), patient());
        let client = measured(&layer);
        assert_eq!(outcome(&client, &origin).await, (503, "home".to_owned()));
        let refusal = refresh(&layer, &origin).await.unwrap_err();
        assert_eq!(refusal, format!("{origin} ({reason})"), "{beginning:?}");
        for size in home.closed(2).await {
            assert!(size < BUFFERED, "{beginning:?}: {size}");
        }
        refresh(&layer, &origin).await.expect("a good list");
        assert_eq!(outcome(&client, &origin).await, (200, "other".to_owned()));
        assert_eq!((home.asked(), other.hits()), (3, 1));
    }
}

#[tokio::test]
async fn endless_heads_of_answers_to_come_are_given_up_in_time() {
    let other = Server::http1("other").await;
    let hints = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".to_vec();
    let endless = Written::Endless("", hints);
    let good = json_of(&[other.origin()]);
    let mut home = Raw::start(vec![endless, Written::Once(chunked(&[good.as_bytes()]))]);
    let (origin, layer) = (home.origin.clone(), within(Duration::from_secs(1)));
    let client = client(&layer);
    assert_eq!(outcome(&client, &origin).await, (503, "home".to_owned()));
    home.closed(1).await;
    refresh(&layer, &origin).await.expect("a good list");
    assert_eq!(outcome(&client, &origin).await, (200, "other".to_owned()));
    assert_eq!(home.asked(), 2);
}

#[tokio::test]
async fn a_list_in_chunks_has_the_same_bounds() {
    let other = Server::http1("other").await;
    let list = json_of(&[other.origin()]);
    let exact = list.clone() + &" ".repeat(MAX - list.len());
    let one_by_one: Vec<&[u8]> = list.as_bytes().chunks(1).collect();
    for (answer, expected) in [
        (chunked(&[exact.as_bytes()]), (200, "other")),
        (chunked(&[exact.as_bytes(), b" "]), (503, "home")),
        (chunked(&[b" ", exact.as_bytes()]), (503, "home")),
        (chunked(&one_by_one), (200, "other")),
    ] {
        let home = Raw::start(vec![Written::Once(answer)]);
        let (status, region) = outcome(&client(&patient()), &home.origin).await;
        assert_eq!((status, region.as_str()), expected);
        assert_eq!(home.asked(), 1);
    }
}

#[tokio::test]
async fn a_length_that_is_not_kept_is_refused() {
    let other = Server::http1("other").await;
    let list = json_of(&[other.origin()]);
    let head = |length: usize| format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{list}");
    // More than was told is no part of the list, less is a list that breaks off.
    let cut = head(list.len() - 1).into_bytes();
    let home = Raw::start(vec![Written::Once(cut)]);
    let (status, _) = outcome(&client(&patient()), &home.origin).await;
    assert_eq!((status, home.asked()), (503, 1));
    let exact = head(list.len()).into_bytes();
    let home = Raw::start(vec![Written::Once(exact)]);
    let (status, _) = outcome(&client(&patient()), &home.origin).await;
    assert_eq!((status, home.asked()), (200, 1));
}
