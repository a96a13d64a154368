use std::fmt;

use http::{HeaderMap, HeaderName};

const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// How a gRPC call ended: one of the 17 codes that gRPC defines.
///
/// Shown by its name, such as `UNAVAILABLE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GrpcCode(u8);

/// The names, by number.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

impl GrpcCode {
    /// 0: the call succeeded.
    pub const OK: Self = Self(0);
    /// 1: it was cancelled, usually by the caller.
    pub const CANCELLED: Self = Self(1);
    /// 2: it failed, and nobody knows why.
    pub const UNKNOWN: Self = Self(2);
    /// 4: its time was over.
    pub const DEADLINE_EXCEEDED: Self = Self(4);
    /// 8: a quota is used up, or some other resource.
    pub const RESOURCE_EXHAUSTED: Self = Self(8);
    /// 12: the service has no such method.
    pub const UNIMPLEMENTED: Self = Self(12);
    /// 13: the server broke.
    pub const INTERNAL: Self = Self(13);
    /// 14: the service cannot be reached now.
    pub const UNAVAILABLE: Self = Self(14);
    /// 15: data was lost or damaged.
    pub const DATA_LOSS: Self = Self(15);

    /// The code of this number; one that gRPC does not define is [`UNKNOWN`](Self::UNKNOWN), as gRPC
    /// has it.
    pub const fn from_number(number: u32) -> Self {
        if number < NAMES.len() as u32 {
            Self(number as u8)
        } else {
            Self::UNKNOWN
        }
    }

    /// The code of this name, in capitals as gRPC writes it or in small letters as Twirp and Connect
    /// do. Both write "canceled", and Twirp "dataloss".
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "canceled" => return Some(Self::CANCELLED),
            "dataloss" => return Some(Self::DATA_LOSS),
            _ => {}
        }
        let mut codes = (0..NAMES.len() as u8).map(Self);
        codes.find(|code| code.name().eq_ignore_ascii_case(name))
    }

    /// The number that stands for it in `grpc-status`.
    pub const fn number(self) -> u32 {
        self.0 as u32
    }

    /// The name in capitals.
    pub const fn name(self) -> &'static str {
        NAMES[self.0 as usize]
    }

    /// The code in `grpc-status`, in a head or in trailers; what is no number as gRPC writes it is
    /// [`UNKNOWN`](Self::UNKNOWN). `None` where there is no such field.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let number = match *headers.get(STATUS)?.as_bytes() {
            [one @ b'0'..=b'9'] => u32::from(one - b'0'),
            [b'1', one @ b'0'..=b'9'] => 10 + u32::from(one - b'0'),
            _ => return Some(Self::UNKNOWN),
        };
        Some(Self::from_number(number))
    }
}

impl fmt::Display for GrpcCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
