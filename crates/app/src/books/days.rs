//! Days of the books in their time zone.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use paywright_domain::Timestamp;
use paywright_domain::books::Day;
use thiserror::Error;

/// Time zone in which the days of the books begin and end. Its rules are part of the program, so that each process cuts
/// the same days.
#[derive(Clone, PartialEq, Eq)]
pub struct BooksZone {
    zone: TimeZone,
    name: String,
}

/// UTC.
impl Default for BooksZone {
    fn default() -> Self {
        Self { zone: TimeZone::UTC, name: "UTC".to_owned() }
    }
}

/// Error of a text that names no time zone.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("must be a name of the IANA time zone database, such as UTC, Europe/Berlin or America/New_York; got `{name}`")]
pub struct UnknownZone {
    /// The text.
    pub name: String,
}

impl BooksZone {
    /// Finds the time zone with this name of the IANA database, in either case.
    pub fn parse(name: &str) -> Result<Self, UnknownZone> {
        let unknown = || UnknownZone { name: name.to_owned() };
        let zone = TimeZoneDatabase::bundled().get(name).map_err(|_| unknown())?;
        let found = zone.iana_name().filter(|_| !zone.is_unknown()).ok_or_else(unknown)?.to_owned();
        Ok(Self { name: found, zone })
    }

    /// Name of the time zone in the IANA database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Day that contains a time: the last one that has started. Where clocks are put back across midnight, the repeated
    /// end of a day is part of the day after it.
    pub fn day_of(&self, at: Timestamp) -> Day {
        let date = self.zone.to_datetime(instant(at)).date();
        let parts = (i32::from(date.year()), u8::try_from(date.month()), u8::try_from(date.day()));
        let day = match parts {
            // Times that are still on the day before the first one in the time zone count to it.
            (year, Ok(month), Ok(day)) => Day::new(year, month, day).unwrap_or(Day::FIRST),
            _ => Day::FIRST,
        };
        day.next().filter(|it| self.start_of(*it) <= at).unwrap_or(day)
    }

    /// First time of a day: midnight, or the end of the gap if midnight is left out where clocks are put forward.
    pub fn start_of(&self, day: Day) -> Timestamp {
        let (year, month, day) = day.parts();
        let start = match (i16::try_from(year), i8::try_from(month), i8::try_from(day)) {
            (Ok(year), Ok(month), Ok(day)) => Date::new(year, month, day).ok().and_then(|it| self.first_instant(it)),
            _ => None,
        };
        // A day outside the range of times starts with the range, or does not start.
        let micros = start.unwrap_or(jiff::Timestamp::MAX).as_microsecond();
        Timestamp::from_unix_micros(micros.max(0)).unwrap_or(Timestamp::EPOCH)
    }

    /// First instant whose date in the time zone is `date` or later; `None` if it is after the range of times.
    fn first_instant(&self, date: Date) -> Option<jiff::Timestamp> {
        let midnight = self.zone.to_ambiguous_timestamp(date.at(0, 0, 0, 0));
        let offset = midnight.offset();
        let start = midnight.compatible().ok()?;
        match offset {
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => Some(start),
            // The start is after the gap by the part of it that is before midnight: the gap ends at the transition.
            AmbiguousOffset::Gap { .. } => {
                let after = start.checked_add(jiff::SignedDuration::from_secs(1)).ok()?;
                self.zone.preceding(after).next().map(|it| it.timestamp())
            }
        }
    }
}

/// The time as an instant of jiff, whose range ends a day earlier.
fn instant(at: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(at.unix_micros()).unwrap_or(jiff::Timestamp::MAX)
}

impl fmt::Debug for BooksZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BooksZone({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zone(name: &str) -> BooksZone {
        BooksZone::parse(name).unwrap()
    }

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_starts_at_its_first_instant() {
        for (name, text, start) in [
            ("UTC", "2026-11-24", "2026-11-24T00:00:00Z"),
            ("Europe/Berlin", "2026-11-24", "2026-11-23T23:00:00Z"),
            ("Europe/Berlin", "2026-07-01", "2026-06-30T22:00:00Z"),
            ("Asia/Kolkata", "2026-11-24", "2026-11-23T18:30:00Z"),
            // Clocks are put forward at midnight.
            ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"),
            ("Asia/Beirut", "2026-03-29", "2026-03-28T22:00:00Z"),
            // Clocks are put back from 01:00 to midnight: the first midnight counts.
            ("America/Havana", "2026-11-01", "2026-11-01T04:00:00Z"),
            // Clocks were put back from 00:01 to 23:01 of the day before.
            ("America/St_Johns", "2010-11-07", "2010-11-07T02:30:00Z"),
            // The day was left out.
            ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"),
            ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z"),
            ("Europe/Berlin", "1970-01-01", "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(zone(name).start_of(day(text)), time(start), "{name} {text}");
        }
    }

    #[test]
    fn a_time_is_part_of_the_last_day_that_has_started() {
        for (name, at, expected) in [
            ("UTC", "2026-11-24T23:59:59.999999Z", "2026-11-24"),
            ("Europe/Berlin", "2026-11-24T22:59:59Z", "2026-11-24"),
            ("Europe/Berlin", "2026-11-24T23:00:00Z", "2026-11-25"),
            ("America/Sao_Paulo", "2018-11-04T02:59:59Z", "2018-11-03"),
            ("America/St_Johns", "2010-11-07T02:31:30Z", "2010-11-07"),
            ("Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31"),
            ("America/New_York", "1970-01-01T00:00:00Z", "1970-01-01"),
            ("Asia/Tokyo", "9999-12-31T23:59:59Z", "9999-12-31"),
        ] {
            assert_eq!(zone(name).day_of(time(at)), day(expected), "{name} {at}");
        }
    }

    #[test]
    fn a_zone_is_known_by_its_name_alone() {
        assert_eq!(zone("europe/berlin").name(), "Europe/Berlin");
        for bad in ["", "Berlin", "CET+1", "+02:00", "Etc/Unknown", "../../etc/passwd", "Europe/Berlin "] {
            let error = BooksZone::parse(bad).unwrap_err().to_string();
            assert!(error.contains("such as UTC, Europe/Berlin") && error.contains(bad), "{error}");
        }
    }

    fn zones() -> impl Strategy<Value = BooksZone> {
        let names: Vec<String> = TimeZoneDatabase::bundled().available().map(|it| it.to_string()).collect();
        assert!(names.len() > 400, "{}", names.len());
        prop::sample::select(names).prop_filter_map("`Etc/Unknown` is no zone", |it| BooksZone::parse(&it).ok())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn days_follow_each_other_without_gap_or_overlap(
            zone in zones(), number in 1_i64..47_000, second in 0_u32..90_000,
        ) {
            let noon = Timestamp::from_unix_seconds(number * 86_400 + 43_200).unwrap();
            let today = zone.day_of(noon);
            let (start, end) = (zone.start_of(today), zone.start_of(today.next().unwrap()));
            prop_assert!(start <= noon && noon < end);
            let at = start.plus_seconds(second);
            prop_assert_eq!(zone.day_of(at) == today, at < end);
            let before = Timestamp::from_unix_micros(start.unix_micros() - 1).unwrap();
            prop_assert!(zone.day_of(before) < today);
        }
    }
}
