//! Actions of people and programs at the feed and the endpoints.

use paywright_app::{EndpointError, EndpointUrl, FeedPageError, FeedPageRequest, NewEndpoint, Position, Publisher};

use crate::acts::{Consumer, EndpointAct, Person};
use crate::world::BoxFuture;

/// Number of events on a page of the feed: few, so that the feed has several pages.
const PAGE: u16 = 3;

impl Person {
    /// Performs an action at the endpoints.
    pub(crate) async fn manage(&self, act: EndpointAct) {
        let endpoints = self.world.core().books.feed.endpoints.clone();
        let id = |index: usize| endpoints.get(index).map(|(id, _)| *id);
        let index = if let EndpointAct::EnableAt(index) = act { index } else { 0 };
        if let EndpointAct::Create(Consumer { format, types }) = act {
            let Ok(url) = EndpointUrl::parse("https://receiver.example/webhooks") else { return };
            let new = NewEndpoint { format, types: types.to_vec(), ..NewEndpoint::at(url) };
            return self
                .change(move |it| {
                    let new = new.clone();
                    Box::pin(async move { it.create_endpoint(new).await.map(drop) })
                })
                .await;
        }
        let Some(id) = id(index) else { return };
        self.change(move |it| {
            Box::pin(async move {
                match act {
                    EndpointAct::Create(_) => Ok(()),
                    EndpointAct::Rotate(seconds) => it.rotate_secret(id, seconds).await.map(drop),
                    EndpointAct::Disable => it.disable_endpoint(id).await.map(drop),
                    EndpointAct::Enable | EndpointAct::EnableAt(_) => it.enable_endpoint(id).await.map(drop),
                    EndpointAct::Replay => it.replay_events(id, Position::START).await.map(drop),
                    EndpointAct::Resend(position) => it.resend_event(id, Position(position)).await,
                }
            })
        })
        .await;
    }

    async fn change(&self, change: impl Fn(Publisher) -> BoxFuture<'static, Result<(), EndpointError>>) {
        let is_definite = |error: &EndpointError| !matches!(error, EndpointError::Store(_));
        let call = |process| self.world.publish(process, true, &change);
        drop(self.repeat(self.tries, call, is_definite).await);
    }

    /// Reads the page of the feed after the last one that was read.
    pub(crate) async fn read_feed(&self) {
        let after = self.world.core().books.feed.cursor;
        let call = |process| {
            self.world.publish(process, true, |it| -> BoxFuture<'static, _> {
                let request = FeedPageRequest { after: Some(after), limit: PAGE, types: Vec::new(), order: None };
                Box::pin(async move { it.feed_page(request).await })
            })
        };
        let is_definite = |error: &FeedPageError| !matches!(error, FeedPageError::Store(_));
        let page = self.repeat(self.tries, call, is_definite).await;
        let mut core = self.world.core();
        // A restore from a backup meanwhile has set the cursor back.
        if let Ok(page) = page
            && core.books.feed.cursor >= after
        {
            let checked = core.books.feed.read(after, &page);
            core.books.note(checked);
        }
    }
}
