//! Facilities and priorities of syslog, with their names.

use std::{fmt, str::FromStr};

use crate::Error;

/// The part of the system that a message comes from.
///
/// Source: RFC 5424, table 1; names as in Python's `SysLogHandler.facility_names`. Parses from a name in any case or a
/// number from 0 to 23.
///
/// ```
/// use tracing_strata::format::Facility;
///
/// assert_eq!("local3".parse::<Facility>().unwrap(), Facility::Local3);
/// assert_eq!("16".parse::<Facility>().unwrap().code(), 16);
/// assert!("locale".parse::<Facility>().unwrap_err().to_string().contains("\"locale\""));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names of the RFC")]
pub enum Facility {
    Kern = 0,
    /// The default.
    #[default]
    User = 1,
    Mail = 2,
    Daemon = 3,
    Auth = 4,
    Syslog = 5,
    Lpr = 6,
    News = 7,
    Uucp = 8,
    Cron = 9,
    Authpriv = 10,
    Ftp = 11,
    Ntp = 12,
    /// "log audit" in the RFC.
    Security = 13,
    /// "log alert" in the RFC.
    Console = 14,
    SolarisCron = 15,
    Local0 = 16,
    Local1 = 17,
    Local2 = 18,
    Local3 = 19,
    Local4 = 20,
    Local5 = 21,
    Local6 = 22,
    Local7 = 23,
}

impl Facility {
    /// All facilities, by number.
    pub const ALL: [Self; 24] = [
        Self::Kern,
        Self::User,
        Self::Mail,
        Self::Daemon,
        Self::Auth,
        Self::Syslog,
        Self::Lpr,
        Self::News,
        Self::Uucp,
        Self::Cron,
        Self::Authpriv,
        Self::Ftp,
        Self::Ntp,
        Self::Security,
        Self::Console,
        Self::SolarisCron,
        Self::Local0,
        Self::Local1,
        Self::Local2,
        Self::Local3,
        Self::Local4,
        Self::Local5,
        Self::Local6,
        Self::Local7,
    ];

    const NAMES: [&str; 24] = [
        "kern",
        "user",
        "mail",
        "daemon",
        "auth",
        "syslog",
        "lpr",
        "news",
        "uucp",
        "cron",
        "authpriv",
        "ftp",
        "ntp",
        "security",
        "console",
        "solaris-cron",
        "local0",
        "local1",
        "local2",
        "local3",
        "local4",
        "local5",
        "local6",
        "local7",
    ];

    /// Its number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// By number; `None` above 23.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

impl fmt::Display for Facility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Facility {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let named = Self::ALL.into_iter().find(|facility| facility.name().eq_ignore_ascii_case(text));
        named.or_else(|| Self::from_code(text.parse().ok()?)).ok_or_else(|| {
            let names = Self::NAMES.join(", ");
            Error::config(format_args!("facility {text:?}: expected a number from 0 to 23 or one of {names}"))
        })
    }
}

/// The severity of a message on syslog's scale.
///
/// Source: RFC 5424, table 2; names as in Python's `SysLogHandler.priority_names`. Parses from a name in any case, with
/// the aliases `panic`, `critical`, `error`, `warn`, `informational`, or a number from 0 to 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names of the RFC")]
pub enum Priority {
    Emergency = 0,
    Alert = 1,
    Critical = 2,
    Error = 3,
    Warning = 4,
    Notice = 5,
    Informational = 6,
    Debug = 7,
}

impl Priority {
    const ALL: [(Self, &'static [&'static str]); 8] = [
        (Self::Emergency, &["emerg", "panic", "emergency"]),
        (Self::Alert, &["alert"]),
        (Self::Critical, &["crit", "critical"]),
        (Self::Error, &["err", "error"]),
        (Self::Warning, &["warning", "warn"]),
        (Self::Notice, &["notice"]),
        (Self::Informational, &["info", "informational"]),
        (Self::Debug, &["debug"]),
    ];

    /// Its number: 0 is the severest.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// By number; `None` above 7.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).map(|(priority, _)| *priority)
    }
}

impl FromStr for Priority {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let is_it = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(text));
        let named = Self::ALL.iter().find(|(_, names)| is_it(names)).map(|(priority, _)| *priority);
        named.or_else(|| Self::from_code(text.parse().ok()?)).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|(_, names)| names[0]).collect();
            Error::config(format_args!(
                "priority {text:?}: expected a number from 0 to 7 or one of {}",
                names.join(", ")
            ))
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn rule_19_2_facilities_by_number_and_name() {
        for (code, facility) in Facility::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(facility.code()), code);
            assert_eq!(facility.to_string().parse::<Facility>().unwrap(), facility);
            assert_eq!(code.to_string().parse::<Facility>().unwrap(), facility);
        }
        assert_eq!(Facility::default().code(), 1);
        assert_eq!("LOCAL7".parse::<Facility>().unwrap().code(), 23);
        assert_eq!("solaris-cron".parse::<Facility>().unwrap().code(), 15);
        for wrong in ["24", "", "-1", "local8"] {
            assert!(wrong.parse::<Facility>().unwrap_err().is_config(), "{wrong}");
        }
    }

    #[test]
    fn priorities_by_number_and_name() {
        for (code, (priority, names)) in Priority::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(priority.code()), code);
            assert_eq!(Priority::from_code(priority.code()), Some(priority));
            names.iter().for_each(|name| assert_eq!(name.parse::<Priority>().unwrap(), priority));
        }
        assert!("8".parse::<Priority>().unwrap_err().to_string().contains("\"8\""));
    }
}
