//! The timeline of a PostgreSQL server: which of several is the primary, and which was one once.
//!
//! A promotion, and a restore to a point in time, begin a new timeline of the same cluster. A primary with a lower
//! timeline than was ever seen has been replaced: what it is given is lost.

use thiserror::Error;

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// Its host, port and database.
    pub(crate) place: String,
    /// The system identifier of its cluster: the same on a primary and all of its standbys.
    pub(crate) system: String,
    /// When it was started: tells one server under two names from two servers.
    pub(crate) started: String,
    /// Whether it takes writes.
    pub(crate) writes: bool,
    /// The timeline that it writes, or has replayed.
    pub(crate) timeline: u32,
}

/// The highest timeline that was ever seen of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The system identifier of the cluster.
    pub system: String,
    /// The timeline.
    pub timeline: u32,
    /// The host, port and database that it was seen at first.
    pub seen_at: String,
}

impl Known {
    pub(crate) fn of(server: &Server) -> Self {
        Self { system: server.system.clone(), timeline: server.timeline, seen_at: server.place.clone() }
    }

    /// This, or what one of these servers has of the same cluster, if that is higher.
    fn raised_by(self, servers: &[Server]) -> Self {
        let same = servers.iter().filter(|it| it.system == self.system);
        match same.max_by_key(|it| it.timeline) {
            Some(highest) if highest.timeline > self.timeline => Self::of(highest),
            Some(_) | None => self,
        }
    }
}

/// Why no server of those that were reached is written to.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// One that was a primary once.
    #[error(
        "PostgreSQL at {place} takes writes on timeline {seen}, and timeline {} was seen at {}: it was replaced by a \
         promotion, and what it is given is lost. Give the address of the promoted server. If this one is right, take \
         the other out of database.url, run `paywright database trust-timeline`, and restart",
        known.timeline, known.seen_at
    )]
    OldTimeline {
        /// Where.
        place: String,
        /// Its timeline.
        seen: u32,
        /// The highest one.
        known: Known,
    },
    /// One of another cluster.
    #[error(
        "PostgreSQL at {place} is another cluster than the one of this installation: its system identifier is {seen}, \
         and {} (timeline {}) is remembered of {}. After pg_upgrade, or if the orders were moved there, run \
         `paywright database trust-timeline`, and restart; another installation needs a database.timeline_file of \
         its own",
        known.system, known.timeline, known.seen_at
    )]
    OtherCluster {
        /// Where.
        place: String,
        /// Its system identifier.
        seen: String,
        /// The cluster of this installation.
        known: Known,
    },
    /// More than one.
    #[error("{} both take writes: stop all but the right one, or keep clients from it, and start again", listed(.0))]
    TwoWriters(
        /// Where, with the timeline of each.
        Vec<(String, u32)>,
    ),
}

fn listed(servers: &[(String, u32)]) -> String {
    let each = servers.iter().map(|(place, timeline)| format!("PostgreSQL at {place} (timeline {timeline})"));
    each.collect::<Vec<_>>().join(" and ")
}

/// When a server is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// At the start of a process: two servers that take writes are for a person to sort out.
    Start,
    /// While it runs: the higher timeline goes.
    Running,
}

/// What is to be done about the servers that were reached.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// The highest timeline, to be remembered before anything is written.
    pub(crate) newest: Option<Known>,
    /// The server to write to, by its position; `None` if none takes writes.
    pub(crate) choice: Result<Option<usize>, Refusal>,
}

impl Judgement {
    const fn refused(refusal: Refusal) -> Self {
        Self { newest: None, choice: Err(refusal) }
    }
}

/// Chooses the server to write to.
pub(crate) fn judge(servers: &[Server], known: Option<&Known>, moment: Moment) -> Judgement {
    let writers = distinct_writers(servers);
    if moment == Moment::Start && writers.len() > 1 {
        return Judgement::refused(two(&writers));
    }
    let ours = |it: &&(usize, &Server)| known.is_none_or(|known| known.system == it.1.system);
    let mut right: Vec<_> = writers.iter().filter(ours).copied().collect();
    right.sort_by_key(|it| std::cmp::Reverse(it.1.timeline));
    let (position, best) = match (right.as_slice(), writers.first(), known) {
        ([], Some((_, other)), Some(known)) => {
            let (place, seen) = (other.place.clone(), other.system.clone());
            return Judgement::refused(Refusal::OtherCluster { place, seen, known: known.clone() });
        }
        ([], ..) => return Judgement { newest: known.cloned().map(|it| it.raised_by(servers)), choice: Ok(None) },
        ([first, second, ..], ..) if first.1.timeline == second.1.timeline => return Judgement::refused(two(&right)),
        ([first, ..], ..) => *first,
    };
    let newest = known.cloned().unwrap_or_else(|| Known::of(best)).raised_by(servers);
    let choice = if best.timeline < newest.timeline {
        Err(Refusal::OldTimeline { place: best.place.clone(), seen: best.timeline, known: newest.clone() })
    } else {
        Ok(Some(position))
    };
    Judgement { newest: Some(newest), choice }
}

/// The server that takes writes, if that is one.
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

/// Servers that take writes, each once, however many names it has.
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

    /// What is chosen or refused, in a word, and the timeline that is remembered then.
    fn told(servers: &[Server], known: Option<&Known>, moment: Moment) -> (String, Option<u32>) {
        let judgement = judge(servers, known, moment);
        let word = match judgement.choice {
            Ok(None) => "none".into(),
            Ok(Some(position)) => servers[position].place.clone(),
            Err(Refusal::OldTimeline { place, seen, known }) => format!("old {place} {seen} {}", known.timeline),
            Err(Refusal::OtherCluster { place, .. }) => format!("other {place}"),
            Err(Refusal::TwoWriters(all)) => {
                format!("two {}", all.into_iter().map(|it| it.0).collect::<Vec<_>>().join(" "))
            }
        };
        (word, judgement.newest.map(|it| it.timeline))
    }

    #[test]
    fn the_primary_with_the_highest_timeline_is_written_to_and_none_below_what_was_seen() {
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
            // A standby that follows a promoted server shows that there is one.
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
            let got = told(&servers, before.as_ref(), moment);
            assert_eq!(got, (expected.to_owned(), remembered), "{servers:?} {before:?} {moment:?}");
        }
    }

    #[test]
    fn two_servers_of_one_timeline_are_not_told_apart_and_one_with_two_names_is_one() {
        let (left, right) = (server("left", "7", true, 2), server("right", "7", true, 2));
        for moment in [Moment::Start, Moment::Running] {
            assert_eq!(told(&[left.clone(), right.clone()], Some(&known(1)), moment).0, "two left right");
            let again = Server { place: "alias".into(), ..left.clone() };
            assert_eq!(told(&[left.clone(), again], None, moment).0, "left");
        }
    }

    #[test]
    fn a_refusal_names_the_server_both_timelines_and_the_command() {
        let old = judge(&[server("db1:5432/shop", "7", true, 1)], Some(&known(2)), Moment::Start).choice.unwrap_err();
        let other = judge(&[server("db1:5432/shop", "8", true, 1)], Some(&known(2)), Moment::Start).choice.unwrap_err();
        for (sentence, words) in [
            (old.to_string(), ["db1:5432/shop takes writes on timeline 1", "timeline 2 was seen at before"]),
            (other.to_string(), ["system identifier is 8", "7 (timeline 2)"]),
        ] {
            assert!(words.iter().all(|it| sentence.contains(it)), "{sentence}");
            assert!(sentence.contains("`paywright database trust-timeline`"), "{sentence}");
        }
    }
}
