//! nginx as a region that is stopped and started.
//!
//! Each test starts its own, as the user it runs as, in a folder of its own. Where there is no nginx
//! the tests say so and pass; with `CI` in the environment they fail.

use std::{
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::{
    net::{TcpSocket, TcpStream},
    process::{Child, Command},
    task::JoinSet,
};
use tower::{Layer, ServiceExt};
use tower_failover::{BoxError, Failover, FailoverLayer, Health, Regions};

use crate::support::{Http, http1, within};

const POLL: Duration = Duration::from_millis(10);

fn find() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let nginx = env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .map(|folder| folder.join("nginx"))
        .find(|file| file.is_file());
    if nginx.is_none() {
        assert!(env::var_os("CI").is_none(), "nginx is not installed");
        // Written directly, for what a passing test prints is not shown.
        let _ = writeln!(io::stderr(), "skipped: nginx is not installed");
    }
    nginx
}

/// A region served by nginx, whose port stays its own while it is stopped.
struct Nginx {
    name: &'static str,
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    /// Bound but not listening, so that the port is refused, and given to nobody else.
    _held: TcpSocket,
    process: Option<Child>,
}

impl Nginx {
    /// Answers 200, and `busy` to requests for `/busy`.
    async fn start(program: &Path, name: &'static str, busy: StatusCode) -> Self {
        let held = TcpSocket::new_v4().unwrap();
        // nginx sets this too; only together they may use one port.
        held.set_reuseaddr(true).unwrap();
        held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = held.local_addr().unwrap().port();
        let folder = format!("tower-failover-nginx-{}-{port}", std::process::id());
        let mut nginx = Self {
            name,
            program: program.to_owned(),
            folder: env::temp_dir().join(folder),
            port,
            _held: held,
            process: None,
        };
        fs::create_dir(&nginx.folder).unwrap();
        fs::write(nginx.folder.join("nginx.conf"), nginx.config(busy)).unwrap();
        nginx.run().await;
        nginx
    }

    fn config(&self, busy: StatusCode) -> String {
        let Self { name, port, .. } = self;
        let busy = busy.as_u16();
        format!(
            "daemon off;
            master_process off;
            pid nginx.pid;
            error_log error.log;
            events {{ worker_connections 64; }}
            http {{
                client_body_temp_path body;
                proxy_temp_path proxy;
                fastcgi_temp_path fastcgi;
                uwsgi_temp_path uwsgi;
                scgi_temp_path scgi;
                log_format short '$request_method $request_uri';
                access_log access.log short;
                server {{
                    listen 127.0.0.1:{port};
                    location / {{ return 200 '{name}'; }}
                    location /busy {{ return {busy} '{name} {busy}'; }}
                }}
            }}"
        )
    }

    /// Starts the process and waits until it accepts connections.
    async fn run(&mut self) {
        let mut process = Command::new(&self.program)
            .arg("-p")
            .arg(&self.folder)
            .arg("-e")
            .arg(self.folder.join("error.log"))
            .arg("-c")
            .arg(self.folder.join("nginx.conf"))
            .stdin(Stdio::null())
            // Also when the test panics.
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        within(async {
            while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                if let Some(status) = process.try_wait().unwrap() {
                    let log = fs::read_to_string(self.folder.join("error.log"));
                    panic!("nginx {} ended: {status}, {log:?}", self.name);
                }
                tokio::time::sleep(POLL).await;
            }
        })
        .await;
        self.process = Some(process);
    }

    /// Kills the process; connections are refused when this returns.
    async fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        within(process.kill()).await.unwrap();
        let refused = TcpStream::connect(("127.0.0.1", self.port)).await;
        assert_eq!(
            refused.unwrap_err().kind(),
            std::io::ErrorKind::ConnectionRefused
        );
    }

    fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The calls and the probes so far.
    fn requests(&self) -> (Vec<String>, Vec<String>) {
        let log = fs::read_to_string(self.folder.join("access.log")).unwrap();
        let requests = log.lines().map(str::to_owned);
        requests.partition(|request| request != "HEAD /")
    }

    /// The calls so far, at least `n`: nginx writes one down only after it has answered.
    async fn wait_requests(&self, n: usize) -> Vec<String> {
        within(async {
            while self.requests().0.len() < n {
                tokio::time::sleep(POLL).await;
            }
            self.requests().0
        })
        .await
    }

    /// How many probes there were.
    fn probes(&self) -> usize {
        self.requests().1.len()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It cannot be waited for here, and needs nothing of its folder to die.
        drop(self.process.take());
        let _ = fs::remove_dir_all(&self.folder);
    }
}

type Client = Failover<Http<Full<Bytes>>>;

fn client(eu: &Nginx, us: &Nginx, ramp: Duration) -> Client {
    let wait = Duration::from_millis(300);
    let health = Health::default().probe_every(wait, wait).ramp(ramp);
    FailoverLayer::new(Regions::named([("eu", eu.origin()), ("us", us.origin())]).unwrap())
        .health(health)
        .layer(http1())
}

/// Calls eu; the answer's status and text.
async fn call(
    client: &Client,
    eu: &str,
    method: Method,
    path: &str,
) -> Result<(u16, String), BoxError> {
    let request = Request::builder()
        .method(method)
        .uri(format!("{eu}{path}"))
        .body(Full::new(Bytes::from_static(b"payload")))?;
    let response = client.clone().oneshot(request).await?;
    let status = response.status().as_u16();
    let text = response.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8(text.into())?))
}

#[tokio::test]
async fn a_stopped_nginx_is_replaced_and_used_again_once_started() {
    let Some(program) = find() else { return };
    let mut eu = Nginx::start(&program, "eu", StatusCode::OK).await;
    let us = Nginx::start(&program, "us", StatusCode::OK).await;
    let (client, origin) = (client(&eu, &us, Duration::ZERO), eu.origin());
    let call = async |method| {
        let call = call(&client, &origin, method, "/a?b");
        within(call).await.unwrap().1
    };

    assert_eq!(call(Method::GET).await, "eu");
    assert_eq!(call(Method::POST).await, "eu");
    // It must not be killed before it has written this down.
    eu.wait_requests(2).await;
    eu.stop().await;
    // The first may be sent over the connection that died with eu, so it is one that can be sent again.
    assert_eq!(call(Method::GET).await, "us");
    assert_eq!(call(Method::POST).await, "us");
    assert_eq!(us.wait_requests(2).await, ["GET /a?b", "POST /a?b"]);
    assert_eq!((eu.probes(), us.probes()), (0, 0));

    eu.run().await;
    let mut from_us = 2;
    within(async {
        while call(Method::GET).await == "us" {
            from_us += 1;
            tokio::time::sleep(POLL).await;
        }
    })
    .await;
    // It was found to be back by one probe, and all traffic is home.
    assert_eq!((eu.probes(), us.probes()), (1, 0));
    assert_eq!(call(Method::POST).await, "eu");
    assert_eq!(call(Method::GET).await, "eu");
    let requests = ["GET /a?b", "POST /a?b", "GET /a?b", "POST /a?b", "GET /a?b"];
    assert_eq!(eu.wait_requests(5).await, requests);
    assert_eq!(us.wait_requests(from_us).await.len(), from_us);
}

#[tokio::test]
async fn a_busy_nginx_is_replaced_for_a_get_and_not_for_a_post() {
    let Some(program) = find() else { return };
    let eu = Nginx::start(&program, "eu", StatusCode::SERVICE_UNAVAILABLE).await;
    let us = Nginx::start(&program, "us", StatusCode::OK).await;
    let (client, origin) = (client(&eu, &us, Duration::ZERO), eu.origin());
    let call = async |method, path| within(call(&client, &origin, method, path)).await.unwrap();

    assert_eq!(call(Method::GET, "/").await, (200, "eu".to_owned()));
    assert_eq!(call(Method::GET, "/busy").await, (200, "us 200".to_owned()));
    assert_eq!(
        call(Method::POST, "/busy").await,
        (503, "eu 503".to_owned())
    );
    let requests = eu.wait_requests(3).await;
    assert_eq!(requests, ["GET /", "GET /busy", "POST /busy"]);
    assert_eq!(us.wait_requests(1).await, ["GET /busy"]);
}

#[tokio::test]
async fn no_call_is_lost_while_nginx_is_killed_and_started() {
    let Some(program) = find() else { return };
    let mut eu = Nginx::start(&program, "eu", StatusCode::OK).await;
    let us = Nginx::start(&program, "us", StatusCode::OK).await;
    let ramp = Duration::from_secs(1);
    let (client, origin) = (client(&eu, &us, ramp), eu.origin());
    let over = Arc::new(AtomicBool::new(false));
    // How often each region answered.
    let answers: [Arc<AtomicUsize>; 2] = Default::default();
    let mut callers = JoinSet::new();
    // Fewer than the retry budget has tokens to start with.
    for _ in 0..4 {
        let (client, origin, over) = (client.clone(), origin.clone(), over.clone());
        let answers = answers.clone();
        callers.spawn(async move {
            while !over.load(Ordering::SeqCst) {
                let (status, text) = call(&client, &origin, Method::GET, "/").await.unwrap();
                assert_eq!(status, 200);
                answers[usize::from(text == "us")].fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
    }
    // Until this region has answered more calls than all callers have under way.
    let served_by = async |region: usize| {
        let enough = answers[region].load(Ordering::SeqCst) + 10;
        within(async {
            while answers[region].load(Ordering::SeqCst) < enough {
                tokio::time::sleep(POLL).await;
            }
        })
        .await;
    };
    for _ in 0..2 {
        served_by(0).await;
        eu.stop().await;
        served_by(1).await;
        eu.run().await;
    }
    served_by(0).await;
    over.store(true, Ordering::SeqCst);
    within(callers.join_all()).await;
}
