//! File descriptors: raises their limit to the system's maximum, and reserves some for the store and Stripe.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use paywright_http_api::CLOSING_MAX;

use crate::Failure;

/// File descriptors reserved for simultaneous calls to Stripe, each on its own connection.
const FOR_STRIPE: u64 = paywright_payments_stripe::CALLS_IN_FLIGHT_MAX;
/// File descriptors reserved for connections to webhook endpoints: those in use, and as many that are kept open.
const FOR_WEBHOOKS: u64 = 128;
/// File descriptors reserved for files, listeners, signals and the runtime.
const FOR_THE_PROCESS: u64 = 64;
/// File descriptors reserved for each serving thread, for its reads from the store. In addition, [`CLOSING_MAX`]
/// connections are being closed.
const FOR_EACH_WORKER: u64 = 8;
/// Minimum number of client connections; with fewer the program does not start.
const CLIENTS_MIN: u64 = 16;

/// Raises this process's limit of open files to the maximum that the system allows, and returns the resulting limit.
pub(crate) fn raise_limit() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current.unwrap_or(u64::MAX);
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum.unwrap_or(u64::MAX),
        Err(error) => {
            tracing::warn!(%error, "the limit of open files cannot be raised");
            current.unwrap_or(u64::MAX)
        }
    }
}

/// Maximum number of client connections: `wanted`, or fewer if the limit of open files does not allow them beside those
/// of the store (`store_connections`) and Stripe.
pub(crate) fn connections_max(
    wanted: usize,
    open_files_max: u64,
    store_connections: u16,
    workers: usize,
) -> Result<usize, Failure> {
    let for_workers =
        (FOR_EACH_WORKER + u64::from(CLOSING_MAX)).saturating_mul(u64::try_from(workers).unwrap_or(u64::MAX));
    let kept = FOR_STRIPE + FOR_WEBHOOKS + FOR_THE_PROCESS + u64::from(store_connections) + for_workers;
    let left = open_files_max.saturating_sub(kept);
    if left < CLIENTS_MIN {
        return Err(format!(
            "the limit of open files is {open_files_max}, and {kept} are needed for the store, for Stripe and for webhooks: raise it to \
             {} or more (`ulimit -n`, or `LimitNOFILE=` of systemd)",
            kept + CLIENTS_MIN
        )
        .into());
    }
    let connections = usize::try_from(left).unwrap_or(usize::MAX).min(wanted);
    if connections < wanted {
        tracing::warn!(
            connections,
            wanted,
            open_files_max,
            "the limit of open files allows fewer client connections than http.connections"
        );
    }
    Ok(connections)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_the_file_descriptors_that_the_store_stripe_and_webhooks_leave() {
        assert_eq!(connections_max(4096, 1_048_576, 16, 2).ok(), Some(4096));
        assert_eq!(connections_max(4096, 1024, 16, 2).ok(), Some(1024 - 128 - 128 - 64 - 16 - 2 * (8 + 32)));
        let refused = connections_max(4096, 416 + 15, 16, 2).unwrap_err().to_string();
        assert!(refused.contains("raise it to 432"), "{refused}");
    }

    #[test]
    fn the_limit_is_raised_to_what_the_system_allows() {
        let allowed = getrlimit(Resource::Nofile).maximum;
        assert_eq!(raise_limit(), allowed.unwrap_or(u64::MAX));
        assert_eq!(getrlimit(Resource::Nofile).current, allowed);
    }
}
