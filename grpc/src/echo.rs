use std::pin::Pin;

use futures_util::{Stream, StreamExt, TryStreamExt};
use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};

use crate::proto::{Reply, Word, echo_server};

type Replies = Pin<Box<dyn Stream<Item = Result<Reply, Status>> + Send>>;

/// The service of one region.
#[derive(Clone, Debug)]
pub(crate) struct Echo {
    pub(crate) region: String,
    /// Whether messages of streams are held back.
    pub(crate) held: watch::Receiver<bool>,
}

impl Echo {
    fn reply(&self, text: String) -> Reply {
        let region = self.region.clone();
        Reply { text, region }
    }

    /// Waits while messages are held back. Each is in a frame of its own.
    async fn held(&self) {
        // tonic puts into one frame what is ready at once.
        tokio::task::yield_now().await;
        // Without a region to say more, nothing is.
        let _ = self.held.clone().wait_for(|held| !held).await;
    }
}

#[tonic::async_trait]
impl echo_server::Echo for Echo {
    type RepeatStream = Replies;
    type TalkStream = Replies;

    async fn say(&self, request: Request<Word>) -> Result<Response<Reply>, Status> {
        Ok(Response::new(self.reply(request.into_inner().text)))
    }

    async fn collect(&self, request: Request<Streaming<Word>>) -> Result<Response<Reply>, Status> {
        let words = request.into_inner().map_ok(|word| word.text);
        let words: Vec<_> = words.try_collect().await?;
        Ok(Response::new(self.reply(words.join(" "))))
    }

    async fn repeat(&self, request: Request<Word>) -> Result<Response<Replies>, Status> {
        let Word { text, times } = request.into_inner();
        let echo = self.clone();
        let replies = futures_util::stream::iter(0..times).then(move |_| {
            let (echo, text) = (echo.clone(), text.clone());
            async move {
                echo.held().await;
                Ok(echo.reply(text))
            }
        });
        Ok(Response::new(replies.boxed()))
    }

    async fn talk(&self, request: Request<Streaming<Word>>) -> Result<Response<Replies>, Status> {
        let echo = self.clone();
        let replies = request.into_inner().and_then(move |word| {
            let echo = echo.clone();
            async move {
                echo.held().await;
                Ok(echo.reply(word.text))
            }
        });
        Ok(Response::new(replies.boxed()))
    }
}
