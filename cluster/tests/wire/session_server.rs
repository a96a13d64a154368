mod joins;
mod live;

use std::time::Duration;

use failover_cluster::SessionServer;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A client, which speaks and hears lines.
struct Client(BufReader<TcpStream>);

impl Client {
    async fn connect(server: &SessionServer) -> Client {
        let stream = TcpStream::connect(server.authority()).await;
        Client(BufReader::new(stream.expect("the region accepts")))
    }

    /// Connects, says a line and tells the answer.
    async fn join(server: &SessionServer, line: &str) -> (Client, String) {
        let mut client = Client::connect(server).await;
        client.say(line).await;
        let answer = client.hear().await;
        (client, answer)
    }

    async fn say(&mut self, line: &str) {
        let sent = self.0.write_all(format!("{line}\n").as_bytes()).await;
        sent.expect("the region reads");
    }

    /// The next line, or nothing at a FIN.
    async fn hear(&mut self) -> String {
        let mut line = String::new();
        let heard = self.0.read_line(&mut line).await;
        heard.expect("FIN, not RST");
        line.trim_end_matches('\n').to_owned()
    }

    /// Whether no line comes for a while.
    async fn hears_nothing(&mut self) -> bool {
        let hear = tokio::time::timeout(Duration::from_millis(100), self.hear());
        hear.await.is_err()
    }
}
