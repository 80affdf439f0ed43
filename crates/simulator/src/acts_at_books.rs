//! Actions of operators at the books.

use paywright_app::BooksError;

use crate::acts::Person;
use crate::world::BoxFuture;

impl Person {
    /// Reconciles the books, as `paywright books reconcile` does beside the processes that keep them.
    pub(crate) async fn reconcile(&self) {
        let call = |process| {
            self.world.keep(process, true, |it| -> BoxFuture<'static, _> {
                Box::pin(async move { it.reconcile(None).await.map(drop) })
            })
        };
        drop(self.repeat(self.tries.min(2), call, |_: &BooksError| false).await);
    }
}
