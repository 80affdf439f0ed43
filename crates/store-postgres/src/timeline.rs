//! Timeline of a PostgreSQL server, which shows the current primary among several, and former ones.
//!
//! A promotion, and a restore to a point in time, begin a new timeline of the same cluster. A primary with a lower
//! timeline than the highest one seen has been replaced: writes to it are lost.

use thiserror::Error;

/// Role and timeline that a server reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// Host, port and database.
    pub(crate) place: String,
    /// System identifier of the cluster: the same on a primary and all of its standbys.
    pub(crate) system: String,
    /// Start time of the server, which shows whether two names belong to one server.
    pub(crate) started: String,
    /// Whether the server accepts writes.
    pub(crate) writes: bool,
    /// Timeline that a primary writes, or a standby has replayed.
    pub(crate) timeline: u32,
}

/// Highest timeline that was seen of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// System identifier of the cluster.
    pub system: String,
    /// Number of the timeline.
    pub timeline: u32,
    /// Host, port and database where it was first seen.
    pub seen_at: String,
}

impl Known {
    pub(crate) fn of(server: &Server) -> Self {
        Self { system: server.system.clone(), timeline: server.timeline, seen_at: server.place.clone() }
    }

    /// The highest of this timeline and those of `servers` of the same cluster.
    fn raised_by(self, servers: &[Server]) -> Self {
        let same = servers.iter().filter(|it| it.system == self.system);
        match same.max_by_key(|it| it.timeline) {
            Some(highest) if highest.timeline > self.timeline => Self::of(highest),
            Some(_) | None => self,
        }
    }
}

/// Why none of the reached servers is used for writes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The server is a former primary.
    #[error(
        "PostgreSQL at {place} accepts writes on timeline {seen}, but timeline {} was seen at {}: it was replaced by a \
         promotion, and writes to it would be lost. Give the address of the promoted server. If this one is right, remove \
         the other from database.url, run `paywright database trust-timeline`, and restart",
        known.timeline, known.seen_at
    )]
    OldTimeline {
        /// Host, port and database.
        place: String,
        /// Timeline of the server.
        seen: u32,
        /// Highest timeline that was seen.
        known: Known,
    },
    /// The server belongs to another cluster.
    #[error(
        "PostgreSQL at {place} is another cluster than the one of this installation: its system identifier is {seen}, \
         and {} (timeline {}) is remembered of {}. After pg_upgrade, or if the orders were moved there, run \
         `paywright database trust-timeline`, and restart; another installation needs a database.timeline_file of \
         its own",
        known.system, known.timeline, known.seen_at
    )]
    OtherCluster {
        /// Host, port and database.
        place: String,
        /// System identifier of the server.
        seen: String,
        /// Cluster and timeline of this installation.
        known: Known,
    },
    /// More than one server accepts writes.
    #[error("{} both accept writes: stop all but the right one, or block clients from it, and restart", listed(.0))]
    TwoWriters(
        /// Host, port and database of each, with its timeline.
        Vec<(String, u32)>,
    ),
}

fn listed(servers: &[(String, u32)]) -> String {
    let each = servers.iter().map(|(place, timeline)| format!("PostgreSQL at {place} (timeline {timeline})"));
    each.collect::<Vec<_>>().join(" and ")
}

/// Moment at which a server is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Start of a process: if two servers accept writes, a person must decide.
    Start,
    /// While the process runs: the higher timeline is used.
    Running,
}

/// Choice among the servers that were reached.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Highest timeline, to be remembered before anything is written.
    pub(crate) newest: Option<Known>,
    /// Position of the server to write to; `None` if none accepts writes.
    pub(crate) choice: Result<Option<usize>, Refusal>,
}

impl Selection {
    const fn refused(refusal: Refusal) -> Self {
        Self { newest: None, choice: Err(refusal) }
    }
}

/// Chooses the server to write to.
pub(crate) fn select_server(servers: &[Server], known: Option<&Known>, moment: Moment) -> Selection {
    let writers = distinct_writers(servers);
    if moment == Moment::Start && writers.len() > 1 {
        return Selection::refused(two(&writers));
    }
    let ours = |it: &&(usize, &Server)| known.is_none_or(|known| known.system == it.1.system);
    let mut right: Vec<_> = writers.iter().filter(ours).copied().collect();
    right.sort_by_key(|it| std::cmp::Reverse(it.1.timeline));
    let (position, best) = match (right.as_slice(), writers.first(), known) {
        ([], Some((_, other)), Some(known)) => {
            let (place, seen) = (other.place.clone(), other.system.clone());
            return Selection::refused(Refusal::OtherCluster { place, seen, known: known.clone() });
        }
        ([], ..) => return Selection { newest: known.cloned().map(|it| it.raised_by(servers)), choice: Ok(None) },
        ([first, second, ..], ..) if first.1.timeline == second.1.timeline => return Selection::refused(two(&right)),
        ([first, ..], ..) => *first,
    };
    let newest = known.cloned().unwrap_or_else(|| Known::of(best)).raised_by(servers);
    let choice = if best.timeline < newest.timeline {
        Err(Refusal::OldTimeline { place: best.place.clone(), seen: best.timeline, known: newest.clone() })
    } else {
        Ok(Some(position))
    };
    Selection { newest: Some(newest), choice }
}

/// Returns the one server that accepts writes, if any.
pub(crate) fn only_writer(servers: &[Server]) -> Result<Option<Server>, Refusal> {
    match distinct_writers(servers).as_slice() {
        [] => Ok(None),
        [(_, one)] => Ok(Some((*one).clone())),
        several => Err(two(several)),
    }
}

fn two(writers: &[(usize, &Server)]) -> Refusal {
    Refusal::TwoWriters(writers.iter().map(|(_, it)| (it.place.clone(), it.timeline)).collect())
}

/// Servers that accept writes, each once, even if it has several names.
fn distinct_writers(servers: &[Server]) -> Vec<(usize, &Server)> {
    let mut distinct: Vec<(usize, &Server)> = Vec::new();
    for (position, server) in servers.iter().enumerate().filter(|it| it.1.writes) {
        let same = |it: &(usize, &Server)| it.1.system == server.system && it.1.started == server.started;
        if !distinct.iter().any(same) {
            distinct.push((position, server));
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(place: &str, system: &str, writes: bool, timeline: u32) -> Server {
        Server { place: place.into(), system: system.into(), started: place.into(), writes, timeline }
    }

    fn known(timeline: u32) -> Known {
        Known { system: "7".into(), timeline, seen_at: "before".into() }
    }

    /// Choice or refusal as one word, with the timeline that is remembered.
    fn summary(servers: &[Server], known: Option<&Known>, moment: Moment) -> (String, Option<u32>) {
        let selection = select_server(servers, known, moment);
        let word = match selection.choice {
            Ok(None) => "none".into(),
            Ok(Some(position)) => servers[position].place.clone(),
            Err(Refusal::OldTimeline { place, seen, known }) => format!("old {place} {seen} {}", known.timeline),
            Err(Refusal::OtherCluster { place, .. }) => format!("other {place}"),
            Err(Refusal::TwoWriters(all)) => {
                format!("two {}", all.into_iter().map(|it| it.0).collect::<Vec<_>>().join(" "))
            }
        };
        (word, selection.newest.map(|it| it.timeline))
    }

    #[test]
    fn only_a_primary_with_the_highest_known_timeline_is_written_to() {
        let (old, new) = (server("old", "7", true, 1), server("new", "7", true, 2));
        let (standby, behind) = (server("standby", "7", false, 2), server("behind", "7", false, 1));
        let other = server("other", "8", true, 9);
        let (start, running) = (Moment::Start, Moment::Running);
        for (servers, before, moment, expected, remembered) in [
            (vec![], None, start, "none", None),
            (vec![&old], None, start, "old", Some(1)),
            (vec![&old], Some(1), start, "old", Some(1)),
            (vec![&old], Some(2), start, "old old 1 2", Some(2)),
            (vec![&old], Some(2), running, "old old 1 2", Some(2)),
            (vec![&new], Some(1), running, "new", Some(2)),
            (vec![&behind, &new], Some(1), start, "new", Some(2)),
            (vec![&standby], Some(1), start, "none", Some(2)),
            (vec![&standby], None, start, "none", None),
            // A standby on a higher timeline shows that another server was promoted.
            (vec![&old, &standby], None, start, "old old 1 2", Some(2)),
            (vec![&old, &standby], Some(1), running, "old old 1 2", Some(2)),
            (vec![&old, &new], None, start, "two old new", None),
            (vec![&old, &new], Some(2), start, "two old new", None),
            (vec![&old, &new], Some(1), running, "new", Some(2)),
            (vec![&old, &new], Some(3), running, "old new 2 3", Some(3)),
            (vec![&old, &other], None, start, "two old other", None),
            (vec![&other], Some(1), start, "other other", None),
            (vec![&other], Some(1), running, "other other", None),
            (vec![&other, &new], Some(1), running, "new", Some(2)),
        ] {
            let servers: Vec<Server> = servers.into_iter().cloned().collect();
            let before = before.map(known);
            let got = summary(&servers, before.as_ref(), moment);
            assert_eq!(got, (expected.to_owned(), remembered), "{servers:?} {before:?} {moment:?}");
        }
    }

    #[test]
    fn two_servers_of_one_timeline_are_refused_and_one_with_two_names_counts_once() {
        let (left, right) = (server("left", "7", true, 2), server("right", "7", true, 2));
        for moment in [Moment::Start, Moment::Running] {
            assert_eq!(summary(&[left.clone(), right.clone()], Some(&known(1)), moment).0, "two left right");
            let again = Server { place: "alias".into(), ..left.clone() };
            assert_eq!(summary(&[left.clone(), again], None, moment).0, "left");
        }
    }

    #[test]
    fn a_refusal_names_the_server_both_timelines_and_the_command() {
        let old =
            select_server(&[server("db1:5432/shop", "7", true, 1)], Some(&known(2)), Moment::Start).choice.unwrap_err();
        let other =
            select_server(&[server("db1:5432/shop", "8", true, 1)], Some(&known(2)), Moment::Start).choice.unwrap_err();
        for (sentence, words) in [
            (old.to_string(), ["db1:5432/shop accepts writes on timeline 1", "timeline 2 was seen at before"]),
            (other.to_string(), ["system identifier is 8", "7 (timeline 2)"]),
        ] {
            assert!(words.iter().all(|it| sentence.contains(it)), "{sentence}");
            assert!(sentence.contains("`paywright database trust-timeline`"), "{sentence}");
        }
    }
}
