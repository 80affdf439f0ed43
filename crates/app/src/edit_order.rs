use paywright_domain::{EditError, Order, OrderEdit};
use thiserror::Error;

use crate::change::ChangeError;
use crate::{Access, App, OrderRef, StoreError};

/// Why an order was not edited.
#[derive(Debug, Error)]
pub enum EditOrderError {
    /// There is none, or it is somebody else's.
    #[error("there is no such order")]
    NotFound,
    /// It does not take the edit.
    #[error(transparent)]
    Refused(EditError),
    /// The store did not take it.
    #[error(transparent)]
    Store(StoreError),
}

impl From<ChangeError<EditError>> for EditOrderError {
    fn from(error: ChangeError<EditError>) -> Self {
        match error {
            ChangeError::NotFound => Self::NotFound,
            ChangeError::Refused(error) => Self::Refused(error),
            ChangeError::Store(error) => Self::Store(error),
        }
    }
}

impl App {
    /// Changes the content of an order that nobody can be paying.
    pub async fn edit_order(
        &self,
        which: &OrderRef,
        access: &Access,
        edit: OrderEdit,
    ) -> Result<Order, EditOrderError> {
        let names = std::slice::from_ref(which);
        Ok(self.change(names, access, |order, now| order.edit(edit.clone(), now)).await?)
    }
}
