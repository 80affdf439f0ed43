//! Stripe's balance as a process reads it.

use std::fmt::Debug;

use async_trait::async_trait;
use paywright_app::{
    BalancePage, BalanceSum, CreatedRange, GatewayError, PayoutMember, ProviderBalance, ReportedTransaction,
};
use paywright_domain::Timestamp;
use paywright_domain::books::Payout;
use paywright_domain::id::PayoutId;

use super::ProcessPorts;
use crate::fault::Call;
use crate::stripe::{Stripe, check_read};

impl ProcessPorts {
    async fn read_balance<T: Debug>(
        &self,
        name: &'static str,
        read: impl FnOnce(&Stripe, Timestamp) -> Result<T, GatewayError> + Send,
    ) -> Result<T, GatewayError> {
        let read = |stripe: &mut Stripe, fault, now| {
            check_read(fault)?;
            stripe.advance(now);
            read(stripe, now)
        };
        let answer = self.call_stripe(Call::StripeRead, name, read, |it| format!("{it:?}")).await?;
        if let Some(process) = self.world.core().processes.get_mut(self.process) {
            process.knows_time_at_stripe = true;
        }
        Ok(answer)
    }
}

#[async_trait]
impl ProviderBalance for ProcessPorts {
    async fn transactions(
        &self,
        range: CreatedRange,
        after: Option<&str>,
    ) -> Result<BalancePage<ReportedTransaction>, GatewayError> {
        self.read_balance("list balance transactions", |stripe, now| stripe.transactions(range, after, now)).await
    }

    async fn payouts(&self, range: CreatedRange, after: Option<&str>) -> Result<BalancePage<Payout>, GatewayError> {
        self.read_balance("list payouts", |stripe, _| stripe.payouts(range, after)).await
    }

    async fn payout(&self, id: &PayoutId) -> Result<Payout, GatewayError> {
        self.read_balance("read payout", |stripe, _| stripe.payout(id)).await
    }

    async fn members(&self, payout: &PayoutId, after: Option<&str>) -> Result<BalancePage<PayoutMember>, GatewayError> {
        self.read_balance("list what a payout contains", |stripe, now| stripe.members(payout, after, now)).await
    }

    async fn balance(&self) -> Result<Vec<BalanceSum>, GatewayError> {
        self.read_balance("read balance", Stripe::balance).await
    }

    fn clock_difference_seconds(&self) -> Option<i64> {
        let core = self.world.core();
        core.processes.get(self.process).filter(|it| it.knows_time_at_stripe).map(|_| 0)
    }
}
