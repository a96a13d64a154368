//! Settings for services that are known.

mod livekit;
